# SPDX-License-Identifier: Apache-2.0
"""The one place that decides what an exception means for the operation that met it.

Kinds are found by *name*: the names of the exception's class and of its bases, nearest first, are
looked up in KIND_BY_NAME. So an exception of ``manila.exception``, of requests, of urllib3, of
paramiko or of a vendor's library falls into place without that library being installed here.

What nobody has named is FINAL. An unknown exception of a driver puts the resource into error, as
Manila does: repeating a call that failed for an unknown reason could make a second share, while an
error can be looked at and retried by hand. A driver that knows better raises BackendBusy (nothing
was done, ask again) or BackendOutcomeUnknown (something may have been done), or derives from them.
"""

from __future__ import annotations

import enum
import errno
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final


class ErrorKind(enum.Enum):
    """What an error says about the work that raised it."""

    FINAL = "final"
    """The answer is no; nothing is gained by asking again."""

    TRANSIENT = "transient"
    """Nothing took effect, and the same request may succeed later."""

    IN_DOUBT = "in_doubt"
    """The work may have taken effect; somebody has to look before it is repeated."""


_FINAL, _TRANSIENT, _IN_DOUBT = ErrorKind.FINAL, ErrorKind.TRANSIENT, ErrorKind.IN_DOUBT


def _by_name(kind: ErrorKind, names: str) -> dict[str, ErrorKind]:
    return dict.fromkeys(names.split(), kind)


KIND_BY_NAME: Final[Mapping[str, ErrorKind]] = {
    # The project's own, for drivers, and Manila's.
    **_by_name(_TRANSIENT, "BackendBusy LockingFailed LockCreationFailed ShareBusyException"),
    **_by_name(_TRANSIENT, "ServiceInstanceUnavailable SnapshotUnavailable"),
    **_by_name(_TRANSIENT, "RemoteFSNoSharesMounted NfsMountFailed VolumeIsBusy"),
    **_by_name(_TRANSIENT, "NetworkUnavailable"),
    **_by_name(_IN_DOUBT, "BackendOutcomeUnknown CommandTimeout ShareServerNotReady"),
    **_by_name(_IN_DOUBT, "StorageCommunicationException SSHException"),
    **_by_name(_FINAL, "ManilaException"),
    # Vendors' own, as Manila's drivers raise them.
    **_by_name(_TRANSIENT, "VserverNotReady HNASSSCIsBusy EMCVnxLockRequiredException"),
    **_by_name(_TRANSIENT, "EMCPowerMaxLockRequiredException"),
    **_by_name(_IN_DOUBT, "HNASConnException HNASSSCContextChange HSPTimeoutException"),
    # Python's. A name says nothing about a plain OSError; its number does (see KIND_BY_ERRNO).
    **_by_name(_TRANSIENT, "ConnectionRefusedError BlockingIOError InterruptedError gaierror"),
    **_by_name(_IN_DOUBT, "ConnectionError TimeoutError KeyboardInterrupt SystemExit"),
    **_by_name(_IN_DOUBT, "IncompleteRead RemoteDisconnected BadStatusLine CancelledError"),
    # requests, urllib3, keystoneauth: before the request left, after it, and what came back.
    **_by_name(_TRANSIENT, "ConnectTimeout ConnectTimeoutError NewConnectionError PoolTimeout"),
    **_by_name(_TRANSIENT, "NameResolutionError ConnectFailure ConnectError"),
    **_by_name(_TRANSIENT, "ServiceUnavailable TooManyRequests RequestRateLimited"),
    **_by_name(_IN_DOUBT, "ReadTimeout ReadTimeoutError Timeout ChunkedEncodingError"),
    **_by_name(_IN_DOUBT, "ProtocolError BadGateway GatewayTimeout MaxRetryError"),
    **_by_name(_FINAL, "SSLError SSLFailure InvalidURL MissingSchema TooManyRedirects"),
    # The project's own, of Nova.
    **_by_name(_TRANSIENT, "NovaUnavailable"),
    **_by_name(_IN_DOUBT, "NovaOutcomeUnknown"),
    **_by_name(_FINAL, "NovaRefused NovaMisconfigured"),
    # paramiko's: no address could be reached; the key or the password was refused.
    **_by_name(_TRANSIENT, "NoValidConnectionsError"),
    **_by_name(_FINAL, "AuthenticationException BadHostKeyException"),
    # oslo.db and oslo.messaging inside a step: the transaction or the message is the unit.
    **_by_name(_TRANSIENT, "DBDeadlock DBConnectionError DBRetryRequest"),
    **_by_name(_IN_DOUBT, "MessagingTimeout MessageDeliveryFailure"),
}

#: Libraries name their time-outs alike, so a name that ends like one is one.
TIMEOUT_NAME: Final = re.compile(r"Timed?[oO]ut(Error|Exception|Expired)?$")

KIND_BY_ERRNO: Final[Mapping[int, ErrorKind]] = {
    # The machine or the file system is short of something that comes back.
    errno.EAGAIN: _TRANSIENT,
    errno.EBUSY: _TRANSIENT,
    errno.EDEADLK: _TRANSIENT,
    errno.EINTR: _TRANSIENT,
    errno.EIO: _TRANSIENT,
    errno.EMFILE: _TRANSIENT,
    errno.ENFILE: _TRANSIENT,
    errno.ENOLCK: _TRANSIENT,
    errno.ENOMEM: _TRANSIENT,
    errno.ESTALE: _TRANSIENT,
    errno.ETXTBSY: _TRANSIENT,
    # The peer was never reached.
    errno.ECONNREFUSED: _TRANSIENT,
    errno.EHOSTDOWN: _TRANSIENT,
    errno.EHOSTUNREACH: _TRANSIENT,
    errno.ENETDOWN: _TRANSIENT,
    errno.ENETUNREACH: _TRANSIENT,
    # The peer was reached, and then went silent.
    errno.ECONNABORTED: _IN_DOUBT,
    errno.ECONNRESET: _IN_DOUBT,
    errno.ENETRESET: _IN_DOUBT,
    errno.EPIPE: _IN_DOUBT,
    errno.EREMOTEIO: _IN_DOUBT,
    errno.ESHUTDOWN: _IN_DOUBT,
    errno.ETIMEDOUT: _IN_DOUBT,
    # Full, over quota, forbidden, absent: the caller has to change something first. These are
    # what an unlisted number means too; they stand here because people look for them.
    errno.ENOSPC: _FINAL,
    errno.EDQUOT: _FINAL,
    errno.EACCES: _FINAL,
    errno.EPERM: _FINAL,
    errno.EROFS: _FINAL,
    errno.ENOENT: _FINAL,
    errno.EEXIST: _FINAL,
}

KIND_BY_HTTP_STATUS: Final[Mapping[int, ErrorKind]] = {
    408: _TRANSIENT,
    423: _TRANSIENT,
    425: _TRANSIENT,
    429: _TRANSIENT,
    500: _IN_DOUBT,
    502: _IN_DOUBT,
    503: _TRANSIENT,
    504: _IN_DOUBT,
}

#: Exit codes by which shells and `timeout` tell that a program was stopped, not that it refused.
_STOPPED_EXIT_CODES: Final = frozenset({124, 128 + 9, 128 + 15})

_NEVER_CONNECTED: Final = frozenset(
    {"NewConnectionError", "ConnectionRefusedError", "NameResolutionError", "ConnectTimeoutError"}
)
_WAS_CONNECTED: Final = frozenset(
    {
        "ReadTimeout", "ReadTimeoutError", "ProtocolError", "RemoteDisconnected",
        "IncompleteRead", "BadStatusLine", "ConnectionResetError", "ConnectionAbortedError",
        "BrokenPipeError", "ChunkedEncodingError",
    }
)  # fmt: skip


def classify(error: BaseException) -> ErrorKind:
    """Return what error means: FINAL where nobody has said otherwise.

    A group of errors is in doubt if one member is, else final if one is: repeating helps only
    where each member is transient.
    """
    if isinstance(error, BaseExceptionGroup):
        return _classify_group(error)
    for cls in type(error).__mro__:
        kind = _kind_of_class(cls.__name__, error)
        if kind is not None:
            return kind
    return ErrorKind.FINAL


def _classify_group(group: BaseExceptionGroup[BaseException]) -> ErrorKind:
    kinds = {classify(member) for member in group.exceptions}
    for kind in (ErrorKind.IN_DOUBT, ErrorKind.FINAL):
        if kind in kinds:
            return kind
    return ErrorKind.TRANSIENT


def _kind_of_class(name: str, error: BaseException) -> ErrorKind | None:
    refine = _REFINEMENTS.get(name)
    if refine is not None and (kind := refine(error)) is not None:
        return kind
    if name in KIND_BY_NAME:
        return KIND_BY_NAME[name]
    return ErrorKind.IN_DOUBT if TIMEOUT_NAME.search(name) else None


def _kind_of_os_error(error: BaseException) -> ErrorKind | None:
    return KIND_BY_ERRNO.get(getattr(error, "errno", None) or 0)


def _kind_of_http_error(error: BaseException) -> ErrorKind | None:
    response = getattr(error, "response", None)
    for holder, attribute in ((response, "status_code"), (error, "code"), (error, "http_status")):
        status = getattr(holder, attribute, None)
        if isinstance(status, int):
            return KIND_BY_HTTP_STATUS.get(status, ErrorKind.FINAL)
    return None


def _kind_of_command(error: BaseException) -> ErrorKind:
    """A command that was killed is in doubt; one that ended by itself has said no.

    Repeating a flaky command is done inside the step (ExecuteMixin._try_execute), by those who
    know that it is flaky.
    """
    code = getattr(error, "exit_code", None)
    stopped = isinstance(code, int) and (code < 0 or code in _STOPPED_EXIT_CODES)
    return ErrorKind.IN_DOUBT if stopped else ErrorKind.FINAL


def _kind_of_connection_error(error: BaseException) -> ErrorKind | None:
    """requests raises one class for "never connected" and "cut off": the cause tells which."""
    if isinstance(getattr(error, "errno", None), int):
        return None
    names = {type(link).__name__ for link in chain(error)}
    return ErrorKind.TRANSIENT if names & _NEVER_CONNECTED else None


def _kind_of_failed_connect(error: BaseException) -> ErrorKind | None:
    """keystoneauth says "connect" of time-outs and breaks that came after the request too."""
    names = {type(link).__name__ for link in chain(error)}
    return ErrorKind.IN_DOUBT if names & _WAS_CONNECTED else None


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield error and what it was raised from; args too, where requests keeps its cause."""
    pending: list[BaseException] = [error]
    seen: set[int] = set()
    while pending:
        link = pending.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        kept = (link.__cause__, link.__context__, getattr(link, "reason", None), *link.args[:1])
        pending.extend(item for item in kept if isinstance(item, BaseException))


#: Classes whose name does not tell enough. None sends the question back to KIND_BY_NAME.
_REFINEMENTS: Final[Mapping[str, Callable[[BaseException], ErrorKind | None]]] = {
    "ConnectFailure": _kind_of_failed_connect,
    "ConnectTimeout": _kind_of_failed_connect,
    "ConnectionError": _kind_of_connection_error,
    "HTTPError": _kind_of_http_error,
    "HttpError": _kind_of_http_error,
    "OSError": _kind_of_os_error,
    "ProcessExecutionError": _kind_of_command,
}
