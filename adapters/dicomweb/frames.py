"""WADO-RS frames: the hot path of every viewer.

Implements PS3.18 10.4.1.1.5 (Frame Pixel Data). Called by `endpoint.py`. As stored: one lookup
(mostly in memory), one `pread`, one write. What is asked for in another form is made in the
renderers' pool; long streams (videos) are sent piece by piece.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Final

from adapters.dicomweb import negotiate
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.dicomweb.metadata import NoSuchResource
from adapters.http.exchange import Exchange
from adapters.http.multipart import MultipartWriter
from adapters.http.ranges import asked_range, content_range, unchanged
from projections.storage_map.view import Location
from registry.access.values import Subject
from repository.instances.frames import FrameTable, Range, native_table
from repository.instances.header import InstanceHeader, read_header
from repository.instances.part10 import EXPLICIT_VR_LITTLE
from repository.instances.pixels import as_explicit_little
from repository.instances.refusals import NoPixelData, NoSuchFrame
from repository.instances.transcoding import frame_in

_BOUNDARY: Final = "pianku-frame-4d3c2b1a90817263"
"""One boundary for all answers: PS3.18 viewers look for the delimiter, not for news."""
_READ_ON_LOOP: Final = 4 << 20
"""Frames up to this size are read where we are: a hop to a thread costs more than the read."""
_PIECE: Final = 1 << 20
_CACHE: Final = b"private, max-age=86400, immutable"


class FrameResources:
    """Answers the frame resources; one a process."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access

    async def locate(self, study_uid: str, series_uid: str, sop_uid: str) -> Location:
        """Return where an instance lies, if it lies (or did some seconds ago) under this path.

        For frames, which say nothing of patient and study; `place` is for what does.
        """
        storage = self._archive.storage
        found = storage.remembered(sop_uid)
        if found is None:
            found = await self._archive.run(storage.locate, sop_uid)
        if found is not None and (found.study_uid, found.series_uid) != (study_uid, series_uid):
            # Moved since it was remembered, or asked for at a place where it is not.
            found = (await self._archive.run(storage.locate_many, (sop_uid,))).get(sop_uid)
        return _under(found, study_uid, series_uid)

    async def place(self, study_uid: str, series_uid: str, sop_uid: str) -> Location:
        """Return where an instance lies by now, if it lies under this path."""
        found = await self._archive.run(self._archive.storage.place, sop_uid)
        return _under(found, study_uid, series_uid)

    async def answer(
        self, exchange: Exchange, subject: Subject, location: Location, numbers: tuple[int, ...]
    ) -> None:
        """Answer .../frames/{list}."""
        form = negotiate.for_frames(
            exchange.header(b"accept"),
            tuple(exchange.asked("accept")),
            location.transfer_syntax,
            single=len(numbers) == 1,
        )
        await self._access.viewed(
            subject, location.study_uid, location.patient_key, transaction="WADO-RS.frames"
        )
        etag = b'"%s-%s-%s"' % (
            location.key[:32].encode(),
            b".".join(b"%d" % n for n in numbers[:64]),
            form.content_type.encode()[-12:],
        )
        headers = [(b"etag", etag), (b"cache-control", _CACHE), (b"vary", b"accept")]
        if unchanged(exchange, etag.decode()):
            await exchange.answer(304, headers)
            return
        if not form.multipart and (
            exchange.header(b"range") is not None or _is_long(location, numbers[0], form)
        ):
            headers.append((b"content-type", form.content_type.encode()))
            await self._part(exchange, location, numbers[0], form, headers)
            return
        frames = await self._frames(location, numbers, form)
        if not form.multipart:
            headers += [(b"content-type", form.content_type.encode()), (b"accept-ranges", b"bytes")]
            await exchange.answer(200, headers, frames[0])
            return
        writer = MultipartWriter(_BOUNDARY)
        pieces: list[bytes] = []
        for number, frame in zip(numbers, frames, strict=True):
            url = f"{exchange.base}{self._archive.prefix}/studies/{location.study_uid}/series/"
            url += f"{location.series_uid}/instances/{location.sop_uid}/frames/{number}"
            pieces += (writer.head(form.content_type, url, len(frame)), frame)
        headers.append((b"content-type", writer.content_type(form.media_type).encode()))
        await exchange.answer_pieces(200, headers, (*pieces, writer.tail))

    async def film(self, exchange: Exchange, location: Location, media_type: str) -> None:
        """Answer with the one stream of a video, or a Range of it."""
        form = negotiate.Representation(
            media_type, location.transfer_syntax, as_stored=True, multipart=False
        )
        etag = b'"%s-film"' % location.key[:32].encode()
        headers = [
            (b"etag", etag),
            (b"cache-control", _CACHE),
            (b"content-type", media_type.encode()),
        ]
        await self._part(exchange, location, 1, form, headers)

    async def _part(
        self,
        exchange: Exchange,
        location: Location,
        number: int,
        form: negotiate.Representation,
        headers: list[tuple[bytes, bytes]],
    ) -> None:
        """Answer one frame or a Range of it: how a player seeks in a video."""
        table, etag = location.frames, headers[0][1].decode()
        frame: bytes | None = None
        places: Sequence[Range] = ()
        if table.count and form.as_stored and not table.shift(number):
            places = table.ranges(number)
            size = sum(length for _, length in places)
        else:
            (frame,) = await self._frames(location, (number,), form)
            size = len(frame)
        asked = asked_range(exchange, etag, size)
        offset, length = asked or (0, size)
        if asked is not None:
            headers.append((b"content-range", content_range(offset, length, size).encode()))
        headers.append((b"accept-ranges", b"bytes"))
        status = 206 if asked else 200
        if frame is not None:
            await exchange.answer(status, headers, frame[offset : offset + length])
            return
        await self._stream(
            exchange,
            location,
            _pieces(places, offset, length),
            status=status,
            headers=[*headers, (b"content-length", b"%d" % length)],
        )

    async def _stream(
        self,
        exchange: Exchange,
        location: Location,
        pieces: Sequence[Range],
        *,
        status: int,
        headers: list[tuple[bytes, bytes]],
    ) -> None:
        """Send ranges of a stored object without holding more than a piece of it."""
        blobs, begun = self._archive.blobs, False
        for offset, length in pieces:
            octets = await self._archive.run(blobs.read, location.key, offset, length)
            if not begun:
                # What cannot be read at all is told before the answer begins.
                await exchange.begin(status, headers)
                begun = True
            if exchange.method == "HEAD":
                break
            await exchange.piece(octets)
        if not begun:
            await exchange.begin(status, headers)
        await exchange.end()

    async def _frames(
        self, location: Location, numbers: tuple[int, ...], form: negotiate.Representation
    ) -> list[bytes]:
        table = location.frames
        if not form.as_stored:
            return await asyncio.get_running_loop().run_in_executor(
                self._archive.renderers, self._made, location, numbers, form.transfer_syntax
            )
        if not table.count:
            return (await self._archive.run(self.decoded, location, numbers))[1]
        size = sum(length for n in numbers for _, length in table.ranges(n))
        if size > _READ_ON_LOOP:
            return await self._archive.run(self._read, location, table, numbers)
        return self._read(location, table, numbers)

    def _read(self, location: Location, table: FrameTable, numbers: tuple[int, ...]) -> list[bytes]:
        path = self._archive.blobs.path(location.key)
        if path is None:
            blobs = self._archive.blobs

            def read(offset: int, length: int) -> bytes:
                return blobs.read(location.key, offset, length)

            return [table.read(number, read) for number in numbers]
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NoSuchResource("the octets of the instance are gone") from None
        try:
            return [
                table.read(number, lambda at, length: os.pread(descriptor, length, at))
                for number in numbers
            ]
        finally:
            os.close(descriptor)

    def _made(
        self, location: Location, numbers: tuple[int, ...], transfer_syntax: str
    ) -> list[bytes]:
        """Make frames in another form than they are stored in."""
        header, frames = self.decoded(location, numbers)
        if transfer_syntax == EXPLICIT_VR_LITTLE:
            return [as_explicit_little(header, frame) for frame in frames]
        return [frame_in(header, frame, transfer_syntax) for frame in frames]

    def decoded(
        self, location: Location, numbers: tuple[int, ...]
    ) -> tuple[InstanceHeader, list[bytes]]:
        """Return the header and the stored octets of frames (waits for the disk)."""
        if location.frames.count:
            header = self._archive.stored.header(location.key)
            return header, self._read(location, location.frames, numbers)
        header = read_header(self._archive.blobs.read(location.key))
        if header.pixels is None or header.pixels.length is None:
            raise NoPixelData("the instance has no frames")
        octets = header.dataset.buffer
        table = native_table(header, header.pixels.offset + header.pixels.length)
        if max(numbers) > table.count:
            raise NoSuchFrame("the instance has no such frame")
        return header, [
            table.read(n, lambda at, length: bytes(octets[at : at + length])) for n in numbers
        ]


def _under(found: Location | None, study_uid: str, series_uid: str) -> Location:
    if found is None or found.study_uid != study_uid or found.series_uid != series_uid:
        raise NoSuchResource("there is no such instance")
    return found


def _is_long(location: Location, number: int, form: negotiate.Representation) -> bool:
    """Tell whether a frame as stored is too long to be held in memory (a video is one)."""
    table = location.frames
    if not table.count or not form.as_stored:
        return False
    return sum(length for _, length in table.ranges(number)) > 2 * _READ_ON_LOOP


def _pieces(places: Sequence[Range], offset: int, length: int) -> list[Range]:
    """Return octets `offset` to `offset + length` of what lies in `places`, in pieces to read."""
    found: list[Range] = []
    for begin, size in places:
        first, last = max(offset, 0), min(size, offset + length)
        found += [(begin + at, min(_PIECE, last - at)) for at in range(first, last, _PIECE)]
        offset -= size
    return found
