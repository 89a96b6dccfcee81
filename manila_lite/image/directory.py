# SPDX-License-Identifier: Apache-2.0
"""Images in a directory: the image service of a site that has no Glance.

    <directory>/<id>.json       metadata, replaced as a whole
    <directory>/<id>.data       the contents of an active image
    <directory>/.upload~*       contents on their way here
    <directory>/.lock           held while names change

The data get their final name before the metadata say `active`, so a crash in between leaves an
image that is still queued, and the next upload replaces the data.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from manila_lite import exception
from manila_lite.clock import Clock
from manila_lite.image import transfer
from manila_lite.image.service import ACTIVE, QUEUED, Meta, checked_id

_UPLOAD: Final = ".upload~"
_LOCK: Final = ".lock"
_DEFAULTS: Final[Mapping[str, Any]] = {
    "name": None, "status": QUEUED, "size": None, "virtual_size": None, "checksum": None,
    "os_hash_algo": None, "os_hash_value": None, "disk_format": "raw", "container_format": "bare",
    "min_disk": 0, "min_ram": 0, "visibility": "private", "owner": None, "protected": False,
}  # fmt: skip
# What only the service itself knows, whatever the caller says.
_OWN: Final = frozenset(
    {"id", "status", "size", "checksum", "os_hash_algo", "os_hash_value", "created_at",
     "updated_at", "properties"}
)  # fmt: skip


class DirectoryImageService:
    """An ImageService over a directory, which is made when the first image is.

    Several processes may use the directory at once. It does not tell projects apart: whoever may
    ask this service sees every image.
    """

    def __init__(self, directory: str, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def show(self, context: Any, image_id: str) -> Meta:
        return self._read(checked_id(image_id))

    def detail(self, context: Any, **filters: Any) -> list[Meta]:
        found = []
        for image_id in self._ids():
            # It may be deleted while others are read.
            with contextlib.suppress(exception.ImageNotFound):
                found.append(self._read(image_id))
        return [meta for meta in found if filters.items() <= meta.items()]

    def download(self, context: Any, image_id: str, data: BinaryIO) -> None:
        meta = self.show(context, image_id)
        if meta["status"] != ACTIVE:
            raise _conflict(meta, "it has no data yet")
        verifier = transfer.Verifier(image_id, meta)
        try:
            with open(self._path(image_id, ".data"), "rb") as source:
                transfer.copy(transfer.chunks_of(source), data, verifier.update)
        except FileNotFoundError:
            raise exception.ImageDownloadFailed(
                image_href=image_id, reason="its data are missing"
            ) from None
        verifier.check()

    def create(
        self, context: Any, image_meta: Mapping[str, Any], data: BinaryIO | None = None
    ) -> Meta:
        os.makedirs(self._directory, mode=0o750, exist_ok=True)
        image_id = checked_id(image_meta.get("id") or str(uuid.uuid4()))
        owner = getattr(context, "project_id", None)
        created = self._now()
        meta = {"id": image_id, **_DEFAULTS, "owner": owner, **_given(image_meta),
                "created_at": created, "updated_at": created}  # fmt: skip
        meta["properties"] = dict(image_meta.get("properties") or {})
        with self._locked():
            if os.path.lexists(self._path(image_id, ".json")):
                raise exception.ImageConflict(image_id=image_id, reason="it exists already")
            self._write(meta)
        return meta if data is None else self.update(context, image_id, {}, data)

    def update(
        self,
        context: Any,
        image_id: str,
        image_meta: Mapping[str, Any],
        data: BinaryIO | None = None,
        purge_props: bool = True,
        store_id: str | None = None,
        base_image_ref: str | None = None,
    ) -> Meta:
        """As the protocol says; purge_props, store_id and base_image_ref are Glance's matter."""
        changes: Meta = _given(image_meta)
        if data is None:
            return self._change(checked_id(image_id), changes, image_meta)
        self._check_queued(self.show(context, image_id))
        with self._uploaded(data) as (path, contents):
            return self._activate(image_id, path, {**changes, **contents}, image_meta)

    def delete(self, context: Any, image_id: str) -> None:
        with self._locked():
            meta = self.show(context, image_id)
            if meta["protected"]:
                raise _conflict(meta, "it is protected")
            # Without metadata there is no image: they go first.
            for suffix in (".json", ".data"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path(image_id, suffix))
            _sync_directory(self._directory)

    def remove_abandoned(self) -> None:
        """Remove what uploads and deletions left whose process died: at the start of a service."""
        with contextlib.suppress(FileNotFoundError), self._locked():
            names = set(os.listdir(self._directory))
            for name in names:
                # Metadata come first and go first: data without them belong to no image.
                if name.endswith(".data") and f"{name.removesuffix('.data')}.json" not in names:
                    os.unlink(os.path.join(self._directory, name))
                elif name.startswith(_UPLOAD):
                    _remove_if_unlocked(os.path.join(self._directory, name))

    # -- one image ---------------------------------------------------------------------------

    def _read(self, image_id: str) -> Meta:
        try:
            with open(self._path(image_id, ".json"), encoding="utf-8") as file:
                meta = json.load(file)
        except FileNotFoundError:
            raise exception.ImageNotFound(image_id=image_id) from None
        except ValueError:
            meta = None
        if not isinstance(meta, dict):
            raise exception.ImageUnacceptable(image_id=image_id, reason="its metadata are damaged")
        return {**_DEFAULTS, "properties": {}, **meta, "id": image_id}

    def _change(self, image_id: str, changes: Meta, given: Mapping[str, Any]) -> Meta:
        """Change metadata; the caller holds no lock."""
        with self._locked():
            meta = self._merged(self._read(image_id), changes, given)
            self._write(meta)
        return meta

    def _activate(self, image_id: str, path: str, changes: Meta, given: Mapping[str, Any]) -> Meta:
        """Give the uploaded data their name, and then make them an image."""
        with self._locked():
            meta = self._read(image_id)
            self._check_queued(meta)
            os.rename(path, self._path(image_id, ".data"))
            _sync_directory(self._directory)
            meta = self._merged(meta, {**changes, "status": ACTIVE}, given)
            self._write(meta)
        return meta

    def _merged(self, meta: Meta, changes: Meta, given: Mapping[str, Any]) -> Meta:
        properties = {**meta["properties"], **(given.get("properties") or {})}
        return {**meta, **changes, "properties": properties, "updated_at": self._now()}

    @staticmethod
    def _check_queued(meta: Meta) -> None:
        if meta["status"] != QUEUED:
            raise _conflict(meta, f"it is {meta['status']}, and its data cannot be replaced")

    @contextlib.contextmanager
    def _uploaded(self, data: BinaryIO) -> Iterator[tuple[str, Meta]]:
        """Yield the path of a complete copy of the data, and what the metadata say about it.

        The copy is locked meanwhile, so that no start of a service takes it for abandoned.
        """
        digest = transfer.new_digest()
        with self._locked():
            descriptor, path = tempfile.mkstemp(prefix=_UPLOAD, dir=self._directory)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            with open(descriptor, "wb") as file:
                size = transfer.copy(transfer.chunks_of(data), file, digest.update)
                file.flush()
                os.fsync(descriptor)
                yield (
                    path,
                    {
                        "size": size,
                        "os_hash_algo": transfer.HASH_ALGORITHM,
                        "os_hash_value": digest.hexdigest(),
                    },
                )
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    # -- files -------------------------------------------------------------------------------

    def _path(self, image_id: str, suffix: str) -> str:
        return os.path.join(self._directory, image_id + suffix)

    def _ids(self) -> list[str]:
        try:
            names = sorted(os.listdir(self._directory))
        except FileNotFoundError:
            return []
        return [name.removesuffix(".json") for name in names
                if name.endswith(".json") and not name.startswith(".")]  # fmt: skip

    def _write(self, meta: Meta) -> None:
        text = json.dumps(meta, indent=1, sort_keys=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix=_UPLOAD, dir=self._directory, delete=False
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(file.name, self._path(meta["id"], ".json"))
        _sync_directory(self._directory)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Between processes and between threads: each time, the lock file is opened anew."""
        try:
            lock = os.open(
                os.path.join(self._directory, _LOCK),
                os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
            )
        except FileNotFoundError:
            yield  # There is no directory, and so nothing to guard.
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _now(self) -> str:
        return self._clock.now().isoformat(timespec="seconds") + "Z"


def _given(image_meta: Mapping[str, Any]) -> Meta:
    return {key: value for key, value in image_meta.items() if key not in _OWN}


def _conflict(meta: Meta, reason: str) -> exception.ImageConflict:
    return exception.ImageConflict(image_id=meta["id"], reason=reason)


def _remove_if_unlocked(path: str) -> None:
    """Remove an upload, unless somebody is still writing it."""
    with contextlib.suppress(OSError), open(path, "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
