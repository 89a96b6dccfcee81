# SPDX-License-Identifier: Apache-2.0
"""Nova's os-assisted-volume-snapshots: have a guest moved from one image file to another.

Both calls only queue the work. Nova reports later by way of the volume API, or never: see
`manila_lite.callback`. Neither call may be repeated once it can have reached Nova, so the errors
say exactly that: NovaUnavailable (it did not), NovaOutcomeUnknown (it may have), NovaRefused and
NovaMisconfigured (Nova answered, and did nothing).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import tenacity
from oslo_config import cfg
from oslo_log import log

from manila_lite import exception
from manila_lite.clock import Clock, SystemClock
from manila_lite.compute import answers
from manila_lite.compute.answers import Answer
from manila_lite.conf import nova as nova_conf

LOG = log.getLogger(__name__)

RESOURCE = "/os-assisted-volume-snapshots"

#: Seconds. A thread of the engine waits meanwhile; longer pauses are the flow's business.
LONGEST_PAUSE = 10.0
_LONG_ENOUGH = tenacity.stop_after_delay(LONGEST_PAUSE)
_PAUSES = tenacity.wait_exponential(multiplier=0.5, max=4.0) + tenacity.wait_random(0, 0.5)


class Link(Protocol):
    """A way to Nova; compute.link.KeystoneLink is one."""

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str], body: str | None = None
    ) -> Answer:
        """Send one request, once. Raises NovaUnavailable, NovaOutcomeUnknown, NovaMisconfigured."""


class API:
    """The calls to Nova that snapshots of attached volumes take."""

    def __init__(self, link: Link, *, retries: int = 3, clock: Clock | None = None) -> None:
        """retries: further tries of a request that certainly did not reach Nova."""
        self._link = link
        self._retries = retries
        self._clock = clock or SystemClock()

    def create_volume_snapshot(
        self, context: Any, volume_id: str, create_info: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Ask Nova to switch the guest to an overlay that exists; return Nova's description.

        create_info: snapshot_id, type ('qcow2') and new_file, the overlay's base name. The
        description is empty where Nova's is not to be read: the request went well nevertheless.
        """
        LOG.info("Asking Nova for snapshot %s", create_info.get("snapshot_id"))
        wanted = {"snapshot": {"volume_id": volume_id, "create_info": dict(create_info)}}
        answer = self._ask(context, "POST", RESOURCE, json.dumps(wanted))
        return answers.member(answer.text, "snapshot")

    def delete_volume_snapshot(
        self, context: Any, snapshot_id: str, delete_info: Mapping[str, Any]
    ) -> None:
        """Ask Nova to merge image files of the guest.

        delete_info: type, volume_id, file_to_merge and merge_target_file, base names or None.
        """
        LOG.info("Asking Nova to delete snapshot %s", snapshot_id)
        query = urlencode({"delete_info": json.dumps(dict(delete_info))})
        self._ask(context, "DELETE", f"{RESOURCE}/{quote(snapshot_id, safe='')}?{query}")

    def _ask(self, context: Any, method: str, path: str, body: str | None = None) -> Answer:
        """Send a request, more than once only while none can have reached Nova."""
        headers = _headers(context)

        def once() -> Answer:
            answer = self._link.request(method, path, headers=headers, body=body)
            answers.raise_for(answer)
            return answer

        return self._repeatedly(once)

    def _repeatedly(self, once: Callable[[], Answer]) -> Answer:
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_be_repeated),
            stop=tenacity.stop_after_attempt(1 + self._retries) | _LONG_ENOUGH,
            wait=_pause,
            sleep=self._sleep,
            before_sleep=_say,
            reraise=True,
        )
        return tries(once)

    def _sleep(self, seconds: float) -> None:
        self._clock.wait(threading.Event(), seconds)


def _headers(context: Any) -> dict[str, str]:
    """The request's id, by which the logs of both services are read together."""
    request_id = getattr(context, "global_id", None)
    return {"X-OpenStack-Request-ID": request_id} if request_id else {}


def _may_be_repeated(error: BaseException) -> bool:
    if not isinstance(error, exception.NovaUnavailable):
        return False
    return answers.retry_after(error) <= LONGEST_PAUSE


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    return max(_PAUSES(state), answers.retry_after(error))


def _say(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    LOG.warning("%s Trying again (%d)", error, state.attempt_number)


def from_conf(conf: cfg.ConfigOpts, clock: Clock | None = None) -> API | None:
    """Return the API that section [nova] describes; None where there is no Nova.

    Connects to nothing. Raises NovaMisconfigured for options that are no way to identify oneself.
    """
    if not nova_conf.is_configured(conf):
        return None
    # keystoneauth and requests take long to import, and most sites have no Nova.
    from manila_lite.compute.link import KeystoneLink

    return API(
        KeystoneLink.from_conf(conf), retries=conf[nova_conf.GROUP].connect_retries, clock=clock
    )
