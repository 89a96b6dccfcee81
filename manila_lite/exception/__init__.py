# SPDX-License-Identifier: Apache-2.0
"""Exceptions: Manila's names where drivers raise or catch them, and the project's own.

A driver written for Manila finds here the classes it knows, with the same bases, keyword arguments
and HTTP codes. What an exception means for an operation is decided by `classify`.
"""

from manila_lite.exception.base import *  # noqa: F403
from manila_lite.exception.compute import *  # noqa: F403
from manila_lite.exception.drivers import *  # noqa: F403
from manila_lite.exception.images import *  # noqa: F403
from manila_lite.exception.kinds import ErrorKind as ErrorKind
from manila_lite.exception.kinds import classify as classify
from manila_lite.exception.missing import *  # noqa: F403
from manila_lite.exception.volumes import *  # noqa: F403
