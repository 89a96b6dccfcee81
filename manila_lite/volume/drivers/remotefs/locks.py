# SPDX-License-Identifier: Apache-2.0
"""One operation at a time on a volume's files."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from manila_lite import exception
from manila_lite.volume.coordination import coordinator_of

Function = TypeVar("Function", bound=Callable[..., Any])


def locked_volume_id_operation(f: Function, external: bool = False) -> Function:
    """Hold the locks of the volumes that a driver's method is about, while it runs.

    Those are its arguments `volume`, `src_vref` and the volume of `snapshot`; all that are there,
    so that a clone holds its source as well. external is Cinder's and changes nothing: processes
    of one host always lock each other out, and hosts do where the driver's `locks_between_hosts`
    says so and [coordination] backend_url is set.

    Raises VolumeBackendAPIException when the method is about no volume, and LockingFailed when
    the lock was not to be had in time.
    """
    signature = inspect.signature(f)

    @functools.wraps(f)
    def locked(inst: Any, *args: Any, **kwargs: Any) -> Any:
        identities = _volume_ids(signature.bind(inst, *args, **kwargs).arguments)
        with hold_volumes(inst, *identities):
            return f(inst, *args, **kwargs)

    return locked  # type: ignore[return-value]


def hold_volumes(driver: Any, *volume_ids: str) -> contextlib.AbstractContextManager[None]:
    """Hold the locks of volumes, given by id; what the thread holds already is no obstacle."""
    names = [f"{driver.driver_prefix}-{identity}" for identity in volume_ids]
    return coordinator_of(driver).hold(
        *names, between_hosts=getattr(driver, "locks_between_hosts", False)
    )


def _volume_ids(arguments: Mapping[str, Any]) -> list[str]:
    volumes = [arguments.get("volume"), arguments.get("src_vref")]
    snapshot = arguments.get("snapshot")
    if snapshot is not None:
        volumes.append(_part(snapshot, "volume"))
    found = [str(_part(volume, "id")) for volume in volumes if volume is not None]
    if not found:
        raise exception.VolumeBackendAPIException(
            data="the decorated method takes neither a volume nor a snapshot"
        )
    return found


def _part(model: Any, name: str) -> Any:
    """An attribute, or a key for models that are plain dictionaries."""
    return getattr(model, name) if hasattr(model, name) else model[name]
