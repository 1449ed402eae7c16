"""WADO-URI (RAD-55): one instance by its three UIDs, as a file, a picture, a document or a film.

Implements PS3.18 9 (URI Service) and RAD TF-2 4.55. A bare ASGI application beside DICOMweb,
mounted at `/wado` by `server.web_door`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Final
from uuid import uuid4

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from adapters.dicomweb import faults, negotiate
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.dicomweb.corrected import Versions, versions
from adapters.dicomweb.frames import FrameResources
from adapters.dicomweb.rendered import DOCUMENTS, RenderedResources
from adapters.dicomweb.wado_uri_request import NoSuchInstance, WadoRequest, wado_request
from adapters.http import problem
from adapters.http.exchange import Exchange
from adapters.http.media_types import ANYTHING, parse_accept
from adapters.http.refusals import ClientGone, MethodNotAllowed, NotAcceptable
from kernel.refusals import Refusal
from projections.storage_map.view import Location
from registry.access.values import Subject
from repository.instances import presentation_states, rendering
from repository.instances.part10 import EXPLICIT_VR_LITTLE
from repository.instances.refusals import NotRenderable
from repository.instances.rendering import Rendering
from repository.instances.transcoding import MAKEABLE, MAX_TRANSCODED, to_transfer_syntax
from repository.tiers.ports import BlobStore
from workflows.retrieve_object import OpenedFile

log = logging.getLogger("pianku.wado")
TRANSACTION: Final = "RAD-55"
_CHUNK: Final = 1 << 20
_CACHE: Final = (b"cache-control", b"private, max-age=86400")
_SEQUENCE_END: Final = b"\xfe\xff\xdd\xe0"


class WadoUri:
    """The application; one a process."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._access = Access(archive)
        self._frames = FrameResources(archive, self._access)
        self._rendered = RenderedResources(archive, self._access, self._frames)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except Refusal as refusal:
            if exchange.started:
                raise
            status = faults.status_of(refusal)
            body, headers = problem.problem(refusal, status)
            await exchange.answer(status, headers, body)
        except ClientGone:
            return
        except Exception:
            correlation = str(uuid4())
            log.exception("request failed", extra={"correlation": correlation})
            if exchange.started:
                raise
            body, headers = problem.defect(correlation)
            await exchange.answer(500, headers, body)

    async def _answer(self, exchange: Exchange) -> None:
        subject = self._archive.guard.http_subject(HTTPConnection(exchange.scope))
        if exchange.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed(allow="GET, HEAD")
        asked = wado_request(exchange.query)
        # Before anything is looked up, so that a 404 tells nothing to the wrong caller.
        await self._access.allow(
            subject, "retrieve", study_uid=asked.study_uid, transaction=TRANSACTION
        )
        location = await self._located(asked)
        media_type = _chosen(asked, exchange.header(b"accept"), location)
        if media_type == negotiate.DICOM:
            await self._file(exchange, subject, asked, location)
        elif media_type.startswith("video/"):
            await self._film(exchange, subject, location, media_type)
        else:
            await self._picture(exchange, subject, asked, location, media_type)

    async def _located(self, asked: WadoRequest) -> Location:
        storage, uid = self._archive.storage, asked.sop_uid
        found = (await self._archive.run(storage.locate_many, (uid,))).get(uid)
        if (
            found is None
            or found.study_uid != asked.study_uid
            or found.series_uid != asked.series_uid
        ):
            raise NoSuchInstance("there is no such instance")
        return found

    async def _recorded(self, subject: Subject, location: Location, detail: str = "") -> None:
        await self._access.viewed(
            subject,
            location.study_uid,
            location.patient_key,
            action="retrieve",
            transaction=TRANSACTION,
            detail=detail,
        )

    async def _file(
        self, exchange: Exchange, subject: Subject, asked: WadoRequest, location: Location
    ) -> None:
        given = await versions(exchange, self._archive, (location,))
        await self._recorded(subject, location, given.detail)
        file = await self._archive.run(given.open, self._archive, location)
        wanted = asked.transfer_syntax or EXPLICIT_VR_LITTLE
        if wanted in {location.transfer_syntax, "*"}:
            await self._stored(exchange, location, file, given)
            return
        try:
            body, syntax = await self._archive.run(_transcoded, file, wanted)
        except NotRenderable:
            if asked.transfer_syntax:
                raise
            # No default form: better as it is than not.
            await self._stored(exchange, location, file, given)
            return
        kind = f"{negotiate.DICOM}; transfer-syntax={syntax}"
        await exchange.answer(200, [(b"content-type", kind.encode()), _cache(given)], body)

    async def _stored(
        self, exchange: Exchange, location: Location, file: OpenedFile, given: Versions
    ) -> None:
        kind = f"{negotiate.DICOM}; transfer-syntax={location.transfer_syntax}"
        await self._stream(exchange, file.chunks(), kind, file.size, _cache(given))

    async def _film(
        self, exchange: Exchange, subject: Subject, location: Location, media_type: str
    ) -> None:
        """Answer with the video stream that the instance encapsulates, as it is."""
        await self._recorded(subject, location)
        if location.frames.count == 1 and location.frames.parts:
            # Its octets are where the table says: a player may seek in them.
            await self._frames.film(exchange, location, media_type)
            return
        header = await self._archive.run(self._archive.stored.header, location.key)
        if header.pixels is None:
            raise NotAcceptable("the instance holds no video")
        stream = _encapsulated(self._archive.blobs, location.key, header.pixels.offset)
        await self._stream(exchange, stream, media_type, None)

    async def _stream(
        self,
        exchange: Exchange,
        chunks: Iterator[bytes],
        kind: str,
        size: int | None,
        cache: tuple[bytes, bytes] = _CACHE,
    ) -> None:
        headers = [(b"content-type", kind.encode()), cache]
        if size is not None:
            headers.append((b"content-length", b"%d" % size))
        # What cannot be read at all is told before the answer begins.
        chunk = await self._archive.run(_next, chunks)
        await exchange.begin(200, headers)
        while chunk:
            await exchange.piece(chunk)
            chunk = await self._archive.run(_next, chunks)
        await exchange.end()

    async def _picture(
        self,
        exchange: Exchange,
        subject: Subject,
        asked: WadoRequest,
        location: Location,
        media_type: str,
    ) -> None:
        await self._recorded(subject, location)
        wanted = Rendering(
            media_type=media_type,
            quality=asked.quality,
            window=asked.window,
            viewport=asked.viewport,
            region=await self._archive.run(self._region, asked, location),
            annotation=asked.annotation,
        )
        given = None
        if asked.annotation:
            given = await versions(exchange, self._archive, (location,))
        state = await self._archive.run(self._state, asked)
        body = await self._rendered.picture(
            location, asked.frame or 0, wanted, state=state, given=given
        )
        cache = _CACHE if given is None else _cache(given)
        await exchange.answer(200, [(b"content-type", media_type.encode()), cache], body)

    def _state(self, asked: WadoRequest) -> Location | None:
        """Return the presentation state that the image is shown by (PS3.18 9.1.2.2.4)."""
        if asked.presentation is None:
            return None
        series_uid, sop_uid = asked.presentation
        found = self._archive.storage.locate(sop_uid)
        # Of the same study only: the caller was asked for no other.
        if (
            found is None
            or found.series_uid != series_uid
            or found.study_uid != asked.study_uid
            or found.sop_class not in presentation_states.SOP_CLASSES
        ):
            raise NoSuchInstance("there is no such presentation state")
        return found

    def _region(self, asked: WadoRequest, location: Location) -> tuple[int, int, int, int] | None:
        """Return the region in pixels of the instance."""
        if asked.region is None:
            return None
        dataset = self._archive.stored.header(location.key).dataset
        columns, rows = dataset.integer(0x00280011, 0) or 0, dataset.integer(0x00280010, 0) or 0
        left, top, right, bottom = asked.region
        x, y = int(left * columns), int(top * rows)
        return x, y, max(1, round(right * columns) - x), max(1, round(bottom * rows) - y)


def _chosen(asked: WadoRequest, accept: str | None, location: Location) -> str:
    """Return the media type: contentType before Accept, and never against it (RAD-55)."""
    offered = _offered(location)
    taken = (parse_accept(accept) if accept and accept.strip() else ()) or (ANYTHING,)
    for media in asked.content_types or taken:
        for name in offered:
            if media.covers(name) and any(one.covers(name) for one in taken):
                return name
    raise NotAcceptable("the instance is not available in an accepted form", offered=list(offered))


def _offered(location: Location) -> tuple[str, ...]:
    """Return what an instance is available as, its default (PS3.18 table 8.7.2-1) first."""
    video = negotiate.media_of(location.transfer_syntax)
    if video.startswith("video/"):
        return negotiate.DICOM, video
    document = DOCUMENTS.get(location.sop_class)
    if document is not None:
        return negotiate.DICOM, document
    if location.sop_class in presentation_states.SOP_CLASSES:
        return (negotiate.DICOM, *rendering.FORMATS)
    if location.frames.count == 0:
        return (negotiate.DICOM,)
    pictures = tuple(rendering.FORMATS)
    if location.frames.count > 1:
        return negotiate.DICOM, *pictures
    return *pictures, negotiate.DICOM


def _cache(given: Versions) -> tuple[bytes, bytes]:
    """Return how long a file may be kept: a header may be corrected at any time."""
    return _CACHE if given.original else (b"cache-control", b"private, no-cache")


def _transcoded(file: OpenedFile, wanted: str) -> tuple[bytes, str]:
    """Return the file in the wanted transfer syntax, else in the default one (PS3.18 9.1.2.2.2)."""
    if file.size > MAX_TRANSCODED:
        raise NotRenderable("the instance is given as stored only")
    syntax = wanted if wanted in MAKEABLE else EXPLICIT_VR_LITTLE
    octets = file.read(0, file.size)
    try:
        return to_transfer_syntax(octets, syntax), syntax
    except NotRenderable:
        if syntax == EXPLICIT_VR_LITTLE:
            raise
        return to_transfer_syntax(octets, EXPLICIT_VR_LITTLE), EXPLICIT_VR_LITTLE


def _encapsulated(blobs: BlobStore, key: str, position: int) -> Iterator[bytes]:
    """Yield the octets of all fragments but the first, the Basic Offset Table (PS3.5 A.4)."""
    table = True
    while True:
        head = blobs.read(key, position, 8)
        if len(head) < 8 or head[:4] == _SEQUENCE_END:
            return
        size = int.from_bytes(head[4:], "little")
        position += 8
        for at in range(0, 0 if table else size, _CHUNK):
            yield blobs.read(key, position + at, min(_CHUNK, size - at))
        position += size
        table = False


def _next(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")
