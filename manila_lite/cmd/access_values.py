# SPDX-License-Identifier: Apache-2.0
"""Whom a rule lets in: what may be written there, as Manila's API has it."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from manila_lite import exception

IP: Final = "ip"
USER: Final = "user"
CERT: Final = "cert"
CEPHX: Final = "cephx"
TYPES: Final = (IP, USER, CERT, CEPHX)
SNAPSHOT_TYPES: Final = (IP, USER, CERT)

_USER = re.compile(r'[^"/\\\[\]:;|=,+*?<>]{4,255}')
_LONGEST_NAME = 64
_CEPHX = re.compile(r"[\x20-\x7e]+")


def checked(access_type: str, access_to: str) -> str:
    """Return access_to without blanks around it.

    Raises InvalidShareAccess for what is no address, network or name of the type.
    """
    text = access_to.strip()
    problem = _PROBLEMS[access_type](text)
    if problem is not None:
        raise exception.InvalidShareAccess(reason=f"{access_type} {access_to!r:.300}: {problem}")
    return text


def are_same(access_type: str, first: str, second: str) -> bool:
    """Whether two rules of a type let the same ones in: 10.0.0.1 is 10.0.0.1/32."""
    if access_type != IP:
        return first == second
    try:
        return ipaddress.ip_network(first) == ipaddress.ip_network(second)
    except ValueError:
        return first == second


def _ip(text: str) -> str | None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        return str(error)
    return None


def _user(text: str) -> str | None:
    if not text.strip(". "):
        return "a user or group has more than periods and blanks in its name"
    if not _USER.fullmatch(text) or not text.isprintable():
        return 'a user or group has 4 to 255 characters, none of them one of "/\\[]:;|=,+*?<>'
    return None


def _cert(text: str) -> str | None:
    if 0 < len(text) <= _LONGEST_NAME and text.isprintable():
        return None
    return f"a common name has 1 to {_LONGEST_NAME} characters"


def _cephx(text: str) -> str | None:
    if _CEPHX.fullmatch(text) and len(text) <= 255 and "." not in text:
        return None
    return "a Ceph user has 1 to 255 ASCII characters and no period"


_PROBLEMS: Final = {IP: _ip, USER: _user, CERT: _cert, CEPHX: _cephx}
