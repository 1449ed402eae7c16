"""WADO-RS bulk data: one value of an instance, named by its path of attributes.

Implements PS3.18 10.4.1.1.6 (Bulkdata Resources) for the URIs that our metadata give:
`.../bulkdata/{tag}[/{item}/{tag}...]`. Called by `endpoint.py`; byte ranges as RFC 9110 14.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from adapters.dicomweb import negotiate
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.dicomweb.corrected import Versions, versions
from adapters.dicomweb.frames import FrameResources
from adapters.dicomweb.metadata import NoSuchResource
from adapters.http.exchange import Exchange
from adapters.http.media_types import accepted
from adapters.http.multipart import MultipartWriter
from adapters.http.ranges import asked_range, content_range, unchanged
from adapters.http.refusals import NotAcceptable
from projections.storage_map.view import Location
from registry.access.values import Subject
from repository.instances.dicom_json import swapped
from repository.instances.elements import PIXEL_TAGS, Dataset
from repository.instances.header import InstanceHeader, read_header_of

_TAG: Final = re.compile(r"[0-9A-Fa-f]{8}")
_FOR_EVER: Final = b"private, max-age=86400, immutable"
_ASK_AGAIN: Final = b"private, no-cache"


async def retrieve(
    exchange: Exchange,
    archive: Archive,
    access: Access,
    subject: Subject,
    *,
    frames: FrameResources,
    location: Location,
    path: Sequence[str],
) -> None:
    """Answer .../bulkdata/{path}."""
    steps = _steps(path)
    if len(steps) == 1 and steps[0] in PIXEL_TAGS and location.frames.parts:
        numbers = tuple(range(1, location.frames.count + 1))
        await frames.answer(exchange, subject, location, numbers)
        return
    is_pixels = len(steps) == 1 and steps[0] in PIXEL_TAGS
    given = Versions() if is_pixels else await versions(exchange, archive, (location,))
    await access.viewed(
        subject,
        location.study_uid,
        location.patient_key,
        transaction="WADO-RS.bulkdata",
        detail=given.detail,
    )
    media_type, value = await archive.run(_value, archive, location, steps, given)
    etag = f'"{given.tag(location)}-{"-".join(path)}"'
    headers = [
        (b"cache-control", _FOR_EVER if is_pixels or given.original else _ASK_AGAIN),
        (b"vary", b"accept"),
        (b"accept-ranges", b"bytes"),
        (b"etag", etag.encode()),
    ]
    if unchanged(exchange, etag):
        await exchange.answer(304, headers)
        return
    if _wants_multipart(exchange, media_type):
        writer = MultipartWriter()
        headers.append((b"content-type", writer.content_type(media_type).encode()))
        await exchange.answer(200, headers, writer.head(media_type) + value + writer.tail)
        return
    headers.append((b"content-type", media_type.encode()))
    asked = asked_range(exchange, etag, len(value))
    if asked is None:
        await exchange.answer(200, headers, value)
        return
    offset, length = asked
    headers.append((b"content-range", content_range(offset, length, len(value)).encode()))
    await exchange.answer(206, headers, value[offset : offset + length])


def _steps(path: Sequence[str]) -> list[int]:
    """Return tags and item numbers, alternating; raises NoSuchResource."""
    steps: list[int] = []
    for index, part in enumerate(path):
        if index % 2 == 0 and _TAG.fullmatch(part):
            steps.append(int(part, 16))
        elif index % 2 and part.isascii() and part.isdigit() and len(part) < 9:
            steps.append(int(part))
        else:
            raise NoSuchResource("the path names no attribute")
    if len(steps) % 2 == 0:
        raise NoSuchResource("the path names no attribute")
    return steps


def _value(
    archive: Archive, location: Location, steps: Sequence[int], given: Versions
) -> tuple[str, bytes]:
    header = archive.stored.header(location.key)
    if location.sop_uid in given.changes:
        file = given.open(archive, location)
        header = read_header_of(file.read, file.size)
    if len(steps) == 1 and header.pixels is not None and header.pixels.tag == steps[0]:
        return negotiate.OCTETS, _pixels(archive, location, header)
    place: Dataset = header.dataset
    for tag, number in zip(steps[:-1:2], steps[1::2], strict=True):
        items = place.items(tag)
        if number >= len(items):
            raise NoSuchResource("there is no such sequence item")
        place = items[number]
    tag = steps[-1]
    element = place.elements.get(tag)
    if element is None or element[3] is not None:
        raise NoSuchResource("the instance has no such value")
    raw = place.raw(tag)
    if not place.encoding.little:
        raw = swapped(raw, element[0])
    media_type = negotiate.OCTETS
    if tag == 0x00420011:
        media_type = header.dataset.ascii(0x00420012) or media_type
        length = header.dataset.integer(0x00420015, 0) or 0
        raw = raw[:length] if 0 < length <= len(raw) else raw
    return media_type, raw


def _pixels(archive: Archive, location: Location, header: InstanceHeader) -> bytes:
    pixels = header.pixels
    assert pixels is not None
    if pixels.length is None:
        raise NoSuchResource("the pixel data cannot be divided into frames")
    if header.deflated:
        raw = bytes(header.dataset.buffer[pixels.offset : pixels.offset + pixels.length])
    else:
        raw = archive.blobs.read(location.key, pixels.offset, pixels.length)
    return raw if header.dataset.encoding.little else swapped(raw, pixels.vr)


def _wants_multipart(exchange: Exchange, media_type: str) -> bool:
    for media in accepted(exchange.header(b"accept"), exchange.asked("accept")):
        if media.essence == "multipart/related":
            return True
        if media.covers(media_type) or media.covers(negotiate.OCTETS):
            return False
    raise NotAcceptable("the value is not available in an accepted form")
