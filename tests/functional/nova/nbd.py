# SPDX-License-Identifier: Apache-2.0
"""A client of the network block device protocol, as small as a guest's disk needs it.

Facts: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md; fixed newstyle
negotiation, NBD_OPT_GO, simple replies, one request at a time.
"""

import contextlib
import socket
import struct
from pathlib import Path
from typing import Final

_GREETING: Final = b"NBDMAGICIHAVEOPT"
_FIXED_NEWSTYLE_NO_ZEROES: Final = 3
_OPTION_GO: Final = 7
_OPTION_REPLY: Final = 0x3E889045565A9
_ACKNOWLEDGED: Final = 1
_INFORMATION: Final = 3
_ABOUT_EXPORT: Final = 0
_REQUEST: Final = 0x25609513
_REPLY: Final = 0x67446698
_READ, _WRITE, _DISCONNECT, _FLUSH, _WRITE_ZEROES = 0, 1, 2, 3, 6
_FORCE_UNIT_ACCESS: Final = 1


class DiskError(Exception):
    """The server answered a request with an error number."""


class Disk:
    """One export; not shared between threads. size: bytes. Raises OSError or EOFError when the
    server is gone: whether the last request took effect is then unknown."""

    def __init__(self, path: Path, export: str, timeout: float = 60.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        self._socket.connect(str(path))
        self._handle = 0
        self.size = self._negotiate(export.encode())

    def read(self, offset: int, length: int) -> bytes:
        return self._ask(_READ, offset, length, answer=length)

    def write(self, offset: int, data: bytes, *, durable: bool = False) -> None:
        """durable: answered only when a kill of the server cannot undo it."""
        self._ask(_WRITE, offset, len(data), data, flags=_FORCE_UNIT_ACCESS if durable else 0)

    def write_zeroes(self, offset: int, length: int, *, durable: bool = False) -> None:
        self._ask(_WRITE_ZEROES, offset, length, flags=_FORCE_UNIT_ACCESS if durable else 0)

    def flush(self) -> None:
        self._ask(_FLUSH, 0, 0)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it may be gone already
            self._send(_DISCONNECT, 0, 0)
        self._socket.close()

    # -- inside --------------------------------------------------------------------------------

    def _negotiate(self, export: bytes) -> int:
        assert self._receive(len(_GREETING)) == _GREETING
        self._receive(2)
        wish = struct.pack(">I", len(export)) + export + struct.pack(">H", 0)
        self._socket.sendall(
            struct.pack(">I", _FIXED_NEWSTYLE_NO_ZEROES)
            + b"IHAVEOPT"
            + struct.pack(">II", _OPTION_GO, len(wish))
            + wish
        )
        size = 0
        while True:
            kind, data = self._option_reply()
            if kind == _ACKNOWLEDGED:
                return size
            if kind == _INFORMATION:
                if struct.unpack(">H", data[:2])[0] == _ABOUT_EXPORT:
                    size = struct.unpack(">Q", data[2:10])[0]
                continue
            raise DiskError(f"the export is refused: {kind:#x} {data!r}")

    def _option_reply(self) -> tuple[int, bytes]:
        magic, _, kind, length = struct.unpack(">QIII", self._receive(20))
        assert magic == _OPTION_REPLY
        return kind, self._receive(length)

    def _ask(
        self, kind: int, offset: int, length: int, data: bytes = b"", *, flags: int = 0,
        answer: int = 0,
    ) -> bytes:  # fmt: skip
        self._send(kind, offset, length, data, flags)
        magic, error, handle = struct.unpack(">IIQ", self._receive(16))
        assert (magic, handle) == (_REPLY, self._handle)
        if error:
            raise DiskError(f"request {kind} at {offset}, {length} bytes: error {error}")
        return self._receive(answer)

    def _send(self, kind: int, offset: int, length: int, data: bytes = b"", flags: int = 0) -> None:
        self._handle += 1
        header = struct.pack(">IHHQQI", _REQUEST, flags, kind, self._handle, offset, length)
        self._socket.sendall(header + data)

    def _receive(self, length: int) -> bytes:
        parts = []
        while length:
            part = self._socket.recv(length)
            if not part:
                raise EOFError("the server closed the connection")
            parts.append(part)
            length -= len(part)
        return b"".join(parts)
