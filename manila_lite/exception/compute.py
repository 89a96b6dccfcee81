# SPDX-License-Identifier: Apache-2.0
"""What asking Nova can end in: refused, not asked at all, or nobody knows.

The three differ in what a caller may do next: give up, ask again, or look at the chain of images.
`exception.classify` tells them apart by these names.
"""

from __future__ import annotations

from manila_lite.exception.base import BadConfigurationException, ManilaException


class NovaRefused(ManilaException):
    """Nova said no and did nothing. Final; the message holds Nova's own words."""

    message = "Nova refused: %(reason)s"


class NovaUnavailable(ManilaException):
    """Nova, or Keystone on the way to it, was not to be reached. Nothing was asked: transient."""

    message = "Nova could not be asked: %(reason)s"


class NovaOutcomeUnknown(ManilaException):
    """The request was sent and no answer came, or one that says nothing. In doubt.

    Nova may have queued the work: whoever asks again may have it done twice.
    """

    message = "Nobody knows whether Nova took the request: %(reason)s"


class NovaMisconfigured(BadConfigurationException):
    """Nova, or Keystone, does not let this service in, or is not where [nova] says. Final."""

    message = "Section [nova] of the configuration does not work: %(reason)s"
