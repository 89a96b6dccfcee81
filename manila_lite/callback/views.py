# SPDX-License-Identifier: Apache-2.0
"""What Nova is shown: a snapshot, and which versions are spoken. The form is the volume API's."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, Final

from manila_lite.callback.faults import Fault

MIN_VERSION: Final = "3.0"
#: What is served here has been the same from 3.0 to this one, but for members that were added.
MAX_VERSION: Final = "3.71"
VERSION_HEADER: Final = "OpenStack-API-Version"

_EXTENDED: Final = "os-extended-snapshot-attributes:"
_REQUESTED = re.compile(r"volume (?:(\d{1,4})\.(\d{1,4})|latest)", re.ASCII)


def snapshot(row: Mapping[str, Any]) -> dict[str, Any]:
    """A snapshot as GET shows it. row: as `recorder.Recorder.snapshot` returns it."""
    return {
        "id": row["id"],
        "name": row.get("display_name"),
        "description": row.get("display_description"),
        "volume_id": row["volume_id"],
        "status": row["status"],
        "size": row.get("volume_size"),
        "created_at": _time(row.get("created_at")),
        "updated_at": _time(row.get("updated_at")),
        "metadata": dict(row.get("metadata") or {}),
        "user_id": row.get("user_id"),
        "group_snapshot_id": None,
        "consumes_quota": True,
        f"{_EXTENDED}progress": row.get("progress"),
        f"{_EXTENDED}project_id": row.get("project_id"),
    }


def versions(base: str) -> dict[str, Any]:
    """The version document. base: the URL of the server, with a slash at its end."""
    return {
        "versions": [
            {
                "id": "v3.0",
                "status": "CURRENT",
                "version": MAX_VERSION,
                "min_version": MIN_VERSION,
                "updated": "2023-08-31T00:00:00Z",
                "links": [{"rel": "self", "href": f"{base}v3/"}],
                "media-types": [
                    {
                        "base": "application/json",
                        "type": "application/vnd.openstack.volume+json;version=3",
                    }
                ],
            }
        ]
    }


def microversion(header: str | None) -> str:
    """The version in which is answered; Fault 406 for one that is not spoken."""
    if not header:
        return MIN_VERSION
    found = _REQUESTED.fullmatch(header.strip())
    if found is None:
        raise Fault(400, f"{VERSION_HEADER} must be like 'volume {MIN_VERSION}'.")
    if found[1] is None:
        return MAX_VERSION
    wanted = (int(found[1]), int(found[2]))
    if not _numbers(MIN_VERSION) <= wanted <= _numbers(MAX_VERSION):
        raise Fault(
            406, f"Version {wanted[0]}.{wanted[1]} is not spoken: {MIN_VERSION} to {MAX_VERSION}."
        )
    return f"{wanted[0]}.{wanted[1]}"


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


def _time(value: Any) -> str | None:
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(timespec="microseconds")
    return value
