"""WADO-RS instances: the files of a study, series or instance, with the header they should have.

Implements PS3.18 10.4.1.1.1 (Study, Series, Instance Resources). Called by `endpoint.py`; files
stream from the store, and are decoded only for a client that does not take what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from adapters.dicomweb import decode, negotiate, zipped
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.dicomweb.corrected import ORIGINAL, Versions, look_up
from adapters.dicomweb.metadata import NoSuchResource
from adapters.http.exchange import Exchange
from adapters.http.multipart import MultipartWriter
from adapters.http.ranges import asked_range, content_range, unchanged
from projections.storage_map.view import Location
from registry.access.values import Subject
from repository.instances.refusals import NotRenderable
from repository.instances.transcoding import MAX_TRANSCODED, to_transfer_syntax
from workflows.retrieve_object import OpenedFile

_CHUNK: Final = 1 << 20
_ASK_AGAIN: Final = b"private, no-cache"
"""A header may be corrected at any time: clients ask whether theirs is still right."""
_FOR_EVER: Final = b"private, max-age=86400, immutable"


async def retrieve(
    exchange: Exchange,
    archive: Archive,
    access: Access,
    subject: Subject,
    locations: Sequence[Location],
    *,
    single: bool = False,
) -> None:
    """Answer with whole instances; `single` when the path names one."""
    if not locations:
        raise NoSuchResource("there is no such study or series")
    accept = exchange.header(b"accept")
    query = tuple(exchange.asked("accept"))
    as_zip = negotiate.wants_zip(accept, query)
    forms = [
        negotiate.for_instances(accept, query, one.transfer_syntax, single=single)
        for one in locations
        if not as_zip
    ]
    first = locations[0]
    await access.allow(
        subject,
        "retrieve",
        study_uid=first.study_uid,
        patient_key=first.patient_key,
        transaction="WADO-RS",
    )
    looking = look_up(exchange, archive, locations)
    await access.record(
        subject,
        "retrieve",
        "WADO-RS",
        patient_keys=(first.patient_key,),
        study_uids=(first.study_uid,),
        count=len(locations),
        detail=ORIGINAL if decode.wants_original(exchange.query) else "",
    )
    given = await looking
    if as_zip:
        await _send_zip(exchange, archive, locations, given)
        return
    if all(form.as_stored for form in forms) and not forms[0].multipart:
        await _send_file(exchange, archive, first, forms[0], given)
        return
    if not forms[0].multipart:
        await _send_made(exchange, archive, first, forms[0], given)
        return
    await _send_parts(exchange, archive, locations, forms, given)


async def _send_zip(
    exchange: Exchange, archive: Archive, locations: Sequence[Location], given: Versions
) -> None:
    pieces = zipped.zipped(locations, lambda one: given.open(archive, one))
    first = await archive.run(_next, pieces)
    name = locations[0].study_uid
    await exchange.begin(
        200,
        [
            (b"content-type", zipped.MEDIA_TYPE.encode()),
            (b"content-disposition", f'attachment; filename="{name}.zip"'.encode()),
            (b"cache-control", b"private, no-cache"),
            (b"vary", b"accept"),
        ],
    )
    await exchange.piece(first)
    # The last pieces of an entry may be empty: the writer is done when it yields no more.
    while (piece := await archive.run(_next_or_none, pieces)) is not None:
        if piece:
            await exchange.piece(piece)
    await exchange.end()


async def _send_file(
    exchange: Exchange,
    archive: Archive,
    location: Location,
    form: negotiate.Representation,
    given: Versions,
) -> None:
    etag = f'"{given.tag(location)}"'
    headers = [
        (b"content-type", form.content_type.encode()),
        (b"etag", etag.encode()),
        (b"cache-control", _FOR_EVER if given.original else _ASK_AGAIN),
        (b"accept-ranges", b"bytes"),
        (b"vary", b"accept"),
    ]
    if unchanged(exchange, etag):
        await exchange.answer(304, headers[1:])
        return
    file = await _opened(archive, location, given)
    asked = asked_range(exchange, etag, file.size)
    if asked is not None:
        await _send_range(exchange, archive, file, headers, asked)
        return
    headers.append((b"content-length", b"%d" % file.size))
    chunks = file.chunks()
    first = await archive.run(_next, chunks)
    await exchange.begin(200, headers)
    await exchange.piece(first)
    await _pipe(exchange, archive, chunks, file.size - len(first))
    await exchange.end()


async def _send_made(
    exchange: Exchange,
    archive: Archive,
    location: Location,
    form: negotiate.Representation,
    given: Versions,
) -> None:
    """Send one instance alone, in another transfer syntax than it is stored in."""
    file = await _opened(archive, location, given)
    body = await archive.run(_transcoded, file, form.transfer_syntax)
    headers = [
        (b"content-type", form.content_type.encode()),
        (b"cache-control", _ASK_AGAIN),
        (b"vary", b"accept"),
    ]
    await exchange.answer(200, headers, body)


async def _opened(archive: Archive, location: Location, given: Versions) -> OpenedFile:
    """Open a file; what has a header to correct is read in a thread."""
    if location.sop_uid in given.changes:
        return await archive.run(given.open, archive, location)
    return given.open(archive, location)


async def _send_range(
    exchange: Exchange,
    archive: Archive,
    file: OpenedFile,
    headers: list[tuple[bytes, bytes]],
    asked: tuple[int, int],
) -> None:
    offset, length = asked
    told = content_range(offset, length, file.size).encode()
    first = await archive.run(file.read, offset, min(length, _CHUNK))
    await exchange.begin(
        206, [*headers, (b"content-range", told), (b"content-length", b"%d" % length)]
    )
    await exchange.piece(first)
    for at in range(offset + _CHUNK, offset + length, _CHUNK):
        size = min(_CHUNK, offset + length - at)
        await exchange.piece(await archive.run(file.read, at, size))
    await exchange.end()


async def _send_parts(
    exchange: Exchange,
    archive: Archive,
    locations: Sequence[Location],
    forms: Sequence[negotiate.Representation],
    given: Versions,
) -> None:
    writer = MultipartWriter()
    base = exchange.base + archive.prefix
    heads = [
        writer.head(
            form.content_type,
            f"{base}/studies/{one.study_uid}/series/{one.series_uid}/instances/{one.sop_uid}",
        )
        for one, form in zip(locations, forms, strict=True)
    ]
    headers = [
        (b"content-type", writer.content_type(negotiate.DICOM).encode()),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"accept"),
    ]
    # What is made on the way out has a size that nobody knows before.
    if all(form.as_stored for form in forms) and not given.changes:
        size = sum(map(len, heads)) + sum(one.size for one in locations) + len(writer.tail)
        headers.append((b"content-length", b"%d" % size))
    begun = False
    for head, location, form in zip(heads, locations, forms, strict=True):
        file = await _opened(archive, location, given)
        if form.as_stored:
            chunks = file.chunks()
            first = await archive.run(_next, chunks)
        else:
            chunks = iter(())
            first = await archive.run(_transcoded, file, form.transfer_syntax)
        left = file.size - len(first) if form.as_stored else 0
        if not begun:
            # What cannot be read at all is told before the answer begins.
            await exchange.begin(200, headers)
            begun = True
        await exchange.piece(head + first)
        await _pipe(exchange, archive, chunks, left)
    await exchange.piece(writer.tail)
    await exchange.end()


async def _pipe(exchange: Exchange, archive: Archive, chunks: Iterator[bytes], left: int) -> None:
    """Send the rest of a file; small files are complete with their first chunk."""
    while left > 0:
        chunk = await archive.run(_next, chunks)
        if not chunk:
            return
        left -= len(chunk)
        await exchange.piece(chunk)


def _next(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")


def _next_or_none(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)


def _transcoded(file: OpenedFile, syntax: str) -> bytes:
    if file.size > MAX_TRANSCODED:
        raise NotRenderable("the instance is given as stored only")
    return to_transfer_syntax(file.read(0, file.size), syntax)
