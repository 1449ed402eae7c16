"""Byte ranges of a representation, and whether the client holds it already.

Implements RFC 9110 13 and 14 (one range; several are answered whole, as 14.2 allows).
Called by doors that serve stored octets.
"""

from __future__ import annotations

import re
from typing import Final

from adapters.http.exchange import Exchange
from adapters.http.refusals import BadRange

_RANGE: Final = re.compile(r"bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*")


def unchanged(exchange: Exchange, etag: str) -> bool:
    """Tell whether If-None-Match names what we would send (RFC 9110 13.1.2, weak comparison)."""
    told = exchange.header(b"if-none-match")
    if told is None:
        return False
    named = {tag.strip().removeprefix("W/") for tag in told.split(",")}
    return "*" in named or etag.removeprefix("W/") in named


def asked_range(exchange: Exchange, etag: str, size: int) -> tuple[int, int] | None:
    """Return the range to send; None for the whole, as when If-Range names another one."""
    if exchange.header(b"if-range") not in {None, etag}:
        return None
    return byte_range(exchange.header(b"range"), size)


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return (offset, length) of a Range header, or None when the whole is to be sent.

    Raises BadRange when the range lies outside of `size` octets.
    """
    if not header:
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        if not length:
            raise BadRange("no octet lies in the range", size=size)
        return size - length, length
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < first:
        return None
    if first >= size:
        raise BadRange("no octet lies in the range", size=size)
    return first, last - first + 1


def content_range(offset: int, length: int, size: int) -> str:
    """Return the Content-Range of a partial answer."""
    return f"bytes {offset}-{offset + length - 1}/{size}"
