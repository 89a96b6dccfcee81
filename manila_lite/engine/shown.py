# SPDX-License-Identifier: Apache-2.0
"""What rows of operations show to people: bounded, and without secrets."""

from __future__ import annotations

from oslo_utils import strutils

from manila_lite.db.texts import writable

_MAX_PROGRESS = 255
_MAX_ERROR = 4000


def describe(error: BaseException) -> str:
    """Return the error for people, without passwords and of bounded length."""
    text = str(error) or type(error).__name__
    return writable(str(strutils.mask_password(text)))[:_MAX_ERROR]


def as_progress(text: str) -> str:
    """Return the text as the row shows it."""
    return writable(text)[:_MAX_PROGRESS]
