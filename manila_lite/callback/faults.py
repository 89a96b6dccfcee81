# SPDX-License-Identifier: Apache-2.0
"""Errors as the volume API tells them: a JSON object with one member, named for the status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import webob

NAMES: Final[Mapping[int, str]] = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    413: "overLimit",
    415: "badMediaType",
    503: "serviceUnavailable",
}
_OTHER: Final = "computeFault"


class Fault(Exception):
    """An answer that is an error. The text is for the caller; it never repeats a secret."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})

    def response(self) -> webob.Response:
        """The error as an HTTP answer."""
        body = {NAMES.get(self.status, _OTHER): {"code": self.status, "message": self.text}}
        answer = webob.Response(status=self.status, json_body=body)
        answer.headers.update(self.headers)
        return answer


class Unavailable(Fault):
    """Raised by the functions that the application is given: not now, but later perhaps."""

    def __init__(self, text: str, retry_after: int = 5) -> None:
        super().__init__(503, text, {"Retry-After": str(retry_after)})
