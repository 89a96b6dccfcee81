# SPDX-License-Identifier: Apache-2.0
"""nfs-ganesha's export manager, over D-Bus."""

from __future__ import annotations

from typing import Any, Final

import jeepney
from jeepney.bus_messages import DBus
from jeepney.io import blocking

from manila_lite import exception

_NAME: Final = "org.ganesha.nfsd"
_EXPORTS: Final = jeepney.DBusAddress(
    "/org/ganesha/nfsd/ExportMgr", bus_name=_NAME, interface=f"{_NAME}.exportmgr"
)
_TIMEOUT: Final = 30.0
_ERRORS: Final = "org.freedesktop.DBus.Error."
_ABSENT: Final = frozenset({"ServiceUnknown", "NameHasNoOwner", "Disconnected"})
_NO_ANSWER: Final = frozenset({"NoReply", "Timeout", "TimedOut"})


class Refused(exception.ShareBackendException):
    """What Ganesha, or the bus, answered no to."""

    message = "nfs-ganesha refused %(method)s: %(reason)s"


class ExportManager:
    """Each call has a connection of its own: a bus that was restarted does no harm.

    address: D-Bus address, such as ``unix:path=/run/dbus/system_bus_socket``; None for the
    system's bus. Every method raises BackendBusy while nobody is there, BackendOutcomeUnknown for
    a call that was not answered, and Refused.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address or "SYSTEM"

    def incarnation(self) -> tuple[str, str]:
        """What changes when Ganesha, or the bus, is started anew."""
        bus = DBus()
        identity = self._call(
            jeepney.new_method_call(
                jeepney.DBusAddress(bus.object_path, bus.bus_name, bus.interface), "GetId"
            )
        )
        owner = self._call(bus.GetNameOwner(_NAME))
        return str(identity[0]), str(owner[0])

    def put(self, path: str, export_id: int) -> None:
        """Make the export as the file at ``path`` has it; one that is there gets its rules."""
        (answer,) = self._export_call("UpdateExport", "ss", path, f"EXPORT(Export_Id={export_id})")
        if not answer.startswith("1 exports") or "Errors found" in answer:
            raise Refused(method="UpdateExport", reason=answer)

    def remove(self, export_id: int) -> None:
        """Take an export away. Raises Refused, also for one that is not there."""
        self._export_call("RemoveExport", "q", export_id)

    def path_of(self, export_id: int) -> str | None:
        """The directory that an export shows; None where there is no such export."""
        try:
            answer = self._export_call("DisplayExport", "q", export_id)
        except Refused as error:
            if "not found" in str(error):
                return None
            raise
        return str(answer[1])

    def paths(self) -> dict[int, str]:
        """The directories of all exports, by id."""
        _, exports = self._export_call("ShowExports", "")
        return {export[0]: export[1] for export in exports}

    def _export_call(self, method: str, signature: str, *arguments: Any) -> Any:
        return self._call(jeepney.new_method_call(_EXPORTS, method, signature, arguments))

    def _call(self, message: jeepney.Message) -> Any:
        method = message.header.fields[jeepney.HeaderFields.member]
        try:
            connection = blocking.open_dbus_connection(self._address, auth_timeout=_TIMEOUT)
        except (OSError, RuntimeError, jeepney.AuthenticationError, ValueError) as error:
            reason = f"D-Bus at {self._address} cannot be reached: {error}"
            raise exception.BackendBusy(reason=reason) from error
        with connection:
            try:
                answer = connection.send_and_get_reply(message, timeout=_TIMEOUT)
            except OSError as error:
                reason = f"nfs-ganesha did not answer {method}: {error or type(error).__name__}"
                raise exception.BackendOutcomeUnknown(reason=reason) from error
        if answer.header.message_type is jeepney.MessageType.error:
            raise _error(method, answer)
        return answer.body


def _error(method: str, answer: jeepney.Message) -> exception.ShareBackendException:
    name = answer.header.fields.get(jeepney.HeaderFields.error_name, "")
    kind = name.removeprefix(_ERRORS)
    reason = " ".join(str(answer.body[0] if answer.body else name).split())
    if kind in _ABSENT:
        return exception.BackendBusy(reason=f"nfs-ganesha is not on the bus: {reason}")
    if kind in _NO_ANSWER:
        return exception.BackendOutcomeUnknown(
            reason=f"nfs-ganesha did not answer {method}: {reason}"
        )
    return Refused(method=method, reason=reason)
