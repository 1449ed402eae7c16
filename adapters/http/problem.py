"""Refusals as HTTP: the status of each branch and leaf, and the problem+json body.

Implements RFC 9110 15 and RFC 9457. Called by doors that answer in plain HTTP; a protocol with
words of its own adds rows to the table in its `faults.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.http.refusals import (
    BadRange,
    BodyTooLarge,
    MethodNotAllowed,
    NotAcceptable,
    UnsupportedMedia,
)
from kernel.refusals import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TooMuch,
    Unauthenticated,
    Unavailable,
)

PROBLEM_JSON: Final = "application/problem+json"
STATUS: Final[Mapping[type[Refusal], int]] = {
    Refusal: 400,
    Invalid: 400,
    UnsupportedMedia: 415,
    NotAcceptable: 406,
    MethodNotAllowed: 405,
    BadRange: 416,
    NotFound: 404,
    Conflict: 409,
    Forbidden: 403,
    Unauthenticated: 401,
    TooMuch: 413,
    BodyTooLarge: 413,
    Unavailable: 503,
}
"""Every branch and the leaves that differ from theirs."""
_TITLES: Final = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 406: "Not Acceptable", 409: "Conflict", 413: "Content Too Large",
    415: "Unsupported Media Type", 416: "Range Not Satisfiable", 500: "Internal Server Error",
    503: "Service Unavailable",
}  # fmt: skip


def status_of(refusal: Refusal, table: Mapping[type[Refusal], int] = STATUS) -> int:
    """Return the status of a refusal: that of its nearest ancestor in the table."""
    for kind in type(refusal).__mro__:
        if kind in table:
            return table[kind]
    return 400


def problem(
    refusal: Refusal, status: int, *, correlation: str = ""
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return body and headers of the answer to a refusal."""
    told = {
        "type": f"urn:pianku:refusal:{refusal.code}",
        "title": _TITLES.get(status, "Refused"),
        "status": status,
        "detail": refusal.message,
        "code": refusal.code,
    }
    if correlation:
        told["correlation"] = correlation
    headers = [(b"content-type", PROBLEM_JSON.encode()), (b"cache-control", b"no-store")]
    if isinstance(refusal, Unavailable):
        headers.append((b"retry-after", str(refusal.retry_after_seconds).encode()))
    if isinstance(refusal, Unauthenticated):
        headers.append((b"www-authenticate", b'Bearer realm="Pianku"'))
    if isinstance(refusal, MethodNotAllowed) and "allow" in refusal.details:
        headers.append((b"allow", str(refusal.details["allow"]).encode()))
    if isinstance(refusal, BadRange) and "size" in refusal.details:
        headers.append((b"content-range", f"bytes */{refusal.details['size']}".encode()))
    return msgspec.json.encode(told), headers


def defect(correlation: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return body and headers of the answer when we broke: an id to look up, nothing more."""
    told = {
        "type": "urn:pianku:defect",
        "title": _TITLES[500],
        "status": 500,
        "detail": "an error of the server; its log tells more under this correlation id",
        "correlation": correlation,
    }
    headers = [(b"content-type", PROBLEM_JSON.encode()), (b"cache-control", b"no-store")]
    return msgspec.json.encode(told), headers
