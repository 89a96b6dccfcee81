# SPDX-License-Identifier: Apache-2.0
"""Access rules for tests, as the service hands them to drivers."""

import uuid


def rule(kind: str, to: str, level: str = "rw") -> dict[str, str]:
    return {
        "id": str(uuid.uuid4()),
        "access_id": str(uuid.uuid4()),
        "access_type": kind,
        "access_to": to,
        "access_level": level,
    }


def ip(to: str, level: str = "rw") -> dict[str, str]:
    return rule("ip", to, level)


def user(to: str, level: str = "rw") -> dict[str, str]:
    return rule("user", to, level)
