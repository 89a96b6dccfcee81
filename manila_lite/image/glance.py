# SPDX-License-Identifier: Apache-2.0
"""Images in Glance: its API v2, by openstacksdk, with this service's own credentials.

Requests' contexts hold no tokens, so Glance sees this service and not the user: give it a role
that may read the images which volumes are made from. openstacksdk is loaded with the first request.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from oslo_config import cfg

from manila_lite import exception
from manila_lite.clock import Clock
from manila_lite.image import glance_session, progress, transfer
from manila_lite.image.service import ACTIVE, Meta, checked_id

LOG = logging.getLogger(__name__)

_BASE: Final = frozenset(
    {"id", "name", "status", "visibility", "protected", "tags", "checksum", "size", "virtual_size",
     "created_at", "updated_at", "owner", "container_format", "disk_format", "min_disk", "min_ram",
     "os_hidden", "os_hash_algo", "os_hash_value"}
)  # fmt: skip
# Where and how Glance keeps the data; addresses of stores may hold their passwords.
_NOT_SHOWN: Final = frozenset(
    {"file", "self", "schema", "locations", "direct_url", "url", "stores", "os_glance_importing_to_"
     "stores", "os_glance_failed_import"}
)  # fmt: skip
# What Glance finds out by itself, and refuses to be told.
_READ_ONLY: Final = frozenset(
    {"id", "status", "checksum", "size", "virtual_size", "created_at", "updated_at",
     "os_hash_algo", "os_hash_value"}
)  # fmt: skip
_PATCH: Final = "application/openstack-images-v2.1-json-patch"
_NEXT: Final = re.compile(r"^/v2/")
_UNAVAILABLE: Final = frozenset({408, 429, 500, 502, 503, 504})
# Of these, the answers that say that nothing was done.
_NOT_TAKEN: Final = frozenset({408, 429, 503})
_MOST_IMAGES: Final = 10_000
_PAUSE: Final = 1.0  # seconds between two tries
# keystoneauth would repeat requests by itself, and send the rest of a file for the whole.
_ONCE: Final[Mapping[str, Any]] = {"connect_retries": 0, "status_code_retries": 0}


class GlanceImageService:
    """An ImageService that asks Glance."""

    def __init__(self, conf: cfg.ConfigOpts, clock: Clock) -> None:
        self._conf = conf
        self._clock = clock
        self._mutex = threading.Lock()
        self._links: list[glance_session.Link] | None = None
        self._answering = 0  # which of them answered last
        self._tries = 1 + conf.glance.glance_num_retries

    def show(self, context: Any, image_id: str) -> Meta:
        path = f"/images/{checked_id(image_id)}"
        return _from_glance(self._ask(context, image_id, "get", path).json())

    def detail(self, context: Any, **filters: Any) -> list[Meta]:
        """As the protocol says, up to 10,000 images."""
        found: list[Meta] = []
        path: str | None = "/images"
        while path is not None and len(found) < _MOST_IMAGES:
            page = self._ask(context, "(all)", "get", path).json()
            found += [_from_glance(image) for image in page["images"]]
            path = _NEXT.sub("/", page["next"]) if page.get("next") else None
        return [meta for meta in found if filters.items() <= meta.items()]

    def download(self, context: Any, image_id: str, data: BinaryIO) -> None:
        """As the protocol says.

        GlanceConnectionFailed also where the connection was lost in the midst of the data: what
        was written is of no use then.
        """
        meta = self.show(context, image_id)
        verifier = transfer.Verifier(image_id, meta)
        response = self._ask(context, image_id, "get", f"/images/{image_id}/file", stream=True)
        try:
            if response.status_code == 204:
                raise exception.ImageConflict(image_id=image_id, reason="it has no data")
            transfer.copy(_chunks(response), data, verifier.update)
        finally:
            response.close()
        verifier.check()

    def create(
        self, context: Any, image_meta: Mapping[str, Any], data: BinaryIO | None = None
    ) -> Meta:
        body = {k: v for k, v in _to_glance(image_meta).items() if v is not None}
        if image_meta.get("id"):
            body["id"] = checked_id(image_meta["id"])
        response = self._ask(context, "(new)", "post", "/images", repeat=False, json=body)
        meta = _from_glance(response.json())
        return meta if data is None else self.update(context, meta["id"], {}, data)

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
        """As the protocol says.

        purge_props does nothing, as in Cinder with Glance v2. store_id: the store of Glance that
        takes the data. base_image_ref: the image that the data are based on.
        """
        checked_id(image_id)
        changes = _to_glance(image_meta)
        if changes:
            patch = [
                {"op": "add", "path": f"/{_pointer(key)}", "value": value}
                for key, value in changes.items()
            ]
            self._ask(context, image_id, "patch", f"/images/{image_id}", json=patch,
                      headers={"Content-Type": _PATCH})  # fmt: skip
        if data is not None:
            headers = {"X-Image-Meta-Store": store_id, "x-openstack-base-image-ref": base_image_ref}
            self._upload(context, image_id, data, {k: v for k, v in headers.items() if v})
        return self.show(context, image_id)

    def delete(self, context: Any, image_id: str) -> None:
        self._ask(context, image_id, "delete", f"/images/{checked_id(image_id)}")

    # -- uploading -----------------------------------------------------------------------------

    def _upload(
        self, context: Any, image_id: str, data: BinaryIO, headers: Mapping[str, str]
    ) -> None:
        """Send the data once, and look whether what Glance has is what was sent.

        Nothing here sends them twice: the file would be read from the middle, and its end taken
        for an image. The question before makes sure that Glance is there and the token is valid.
        """
        status = self.show(context, image_id)["status"]
        if status == ACTIVE:
            raise exception.ImageConflict(image_id=image_id, reason="it has data already")
        digest = transfer.new_digest()
        reader = progress.WatchedReader(data, digest.update)
        path = f"/images/{image_id}/file"
        headers = {"Content-Type": "application/octet-stream", "Accept": "", **headers}
        try:
            response = self._http(0).put(
                path, data=reader, headers=headers, allow_reauth=False, **_ONCE
            )
        except (*glance_session.connection_errors(), *glance_session.refusals()) as error:
            raise self._interrupted(image_id, error) from error
        if response.status_code in _UNAVAILABLE:
            raise self._interrupted(image_id, f"status {response.status_code}")
        _check(response, image_id)
        self._check_upload(context, image_id, len(reader), digest.hexdigest())

    def _check_upload(self, context: Any, image_id: str, size: int, digest: str) -> None:
        meta = self.show(context, image_id)
        same_digest = meta.get("os_hash_algo") != transfer.HASH_ALGORITHM or meta.get(
            "os_hash_value"
        ) in (None, digest)
        # A store that takes its time has no size yet.
        if meta.get("size") in (None, size) and same_digest:
            return
        self.delete(context, image_id)
        raise exception.ImageCopyFailure(
            reason=f"image {image_id} was not stored as it was sent; it has been deleted"
        )

    @staticmethod
    def _interrupted(image_id: str, error: object) -> exception.ImageUploadInterrupted:
        return exception.ImageUploadInterrupted(image_id=image_id, reason=_one_line(error))

    # -- asking --------------------------------------------------------------------------------

    def _ask(
        self,
        context: Any,
        image_id: str,
        method: str,
        path: str,
        repeat: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Send a request until an answer comes, to one server after the other.

        repeat: whether it may be sent again when it may have been taken already. If not,
        BackendOutcomeUnknown tells of such an end.
        """
        kwargs = {**_ONCE, "global_request_id": getattr(context, "global_id", None), **kwargs}
        for number in range(self._tries):
            if number:
                self._clock.wait(threading.Event(), _PAUSE)
            response, error, was_taken = self._answer(number, method, path, kwargs)
            if error is None:
                _check(response, image_id)
                return response
            if was_taken and not repeat:
                raise exception.BackendOutcomeUnknown(reason=_one_line(error))
        raise exception.GlanceConnectionFailed(reason=_one_line(error))

    def _answer(
        self, number: int, method: str, path: str, kwargs: Mapping[str, Any]
    ) -> tuple[Any, object, bool]:
        """Send a request once: the response, or what went wrong and whether it may be taken."""
        try:
            response = getattr(self._http(number), method)(path, **kwargs)
        except glance_session.connection_errors() as error:
            return None, error, not _is_transient(error)
        except glance_session.refusals() as error:
            if _is_transient(error):
                return None, error, False
            reason = f"this service is not let in: {_one_line(error)}"
            raise exception.NotAuthorized(reason) from error
        if response.status_code in _UNAVAILABLE:
            return None, f"status {response.status_code}", response.status_code not in _NOT_TAKEN
        self._stay_with(number)
        return response, None, False

    def _http(self, number: int) -> Any:
        """The client of a server: 0 is the one that answered last, 1 the next one."""
        with self._mutex:
            if self._links is None:
                self._links = glance_session.make_links(self._conf)
            return self._links[(self._answering + number) % len(self._links)].http

    def _stay_with(self, number: int) -> None:
        """Ask this server first from now on, and send it what is sent once only."""
        if number:
            with self._mutex:
                self._answering += number


def _chunks(response: Any) -> Iterator[bytes]:
    """The body, piece by piece; GlanceConnectionFailed where it ends before its time."""
    pieces = response.iter_content(chunk_size=transfer.CHUNK)
    while True:
        try:
            piece = next(pieces)
        except StopIteration:
            return
        except OSError as error:  # what requests raises of a connection that is lost
            raise exception.GlanceConnectionFailed(reason=_one_line(error)) from error
        yield piece


def _check(response: Any, image_id: str) -> None:
    """Turn an answer that means no into an exception."""
    status = response.status_code
    if status < 400:
        return
    reason = f"the image service answers {status}: {_one_line(response.text)}"
    if status == 404:
        raise exception.ImageNotFound(image_id=image_id)
    if status in (401, 403):
        raise exception.NotAuthorized(f"image {image_id}: {reason}")
    if status in (409, 410):
        raise exception.ImageConflict(image_id=image_id, reason=reason)
    if status == 413:
        raise exception.ImageTooBig(image_id=image_id, reason=reason)
    raise exception.ImageUnacceptable(image_id=image_id, reason=reason)


def _from_glance(image: Mapping[str, Any]) -> Meta:
    """Glance's own keys as they are, and the rest under `properties`."""
    meta = {key: value for key, value in image.items() if key in _BASE}
    rest = {k: v for k, v in image.items() if k not in _BASE and k not in _NOT_SHOWN}
    return {**meta, "properties": rest}


def _to_glance(image_meta: Mapping[str, Any]) -> Meta:
    """What Glance may be told, in one level."""
    own = {k: v for k, v in image_meta.items() if k in _BASE and k not in _READ_ONLY}
    return {**(image_meta.get("properties") or {}), **own}


def _pointer(key: str) -> str:
    """A key as a part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def _is_transient(error: BaseException) -> bool:
    """Whether the request cannot have been taken."""
    return exception.classify(error) is exception.ErrorKind.TRANSIENT


def _one_line(text: object) -> str:
    """The beginning of a text that may come from anywhere."""
    line = " ".join(re.sub(r"<[^>]*>", " ", str(text)).split())
    return line if len(line) <= 300 else line[:300] + "..."
