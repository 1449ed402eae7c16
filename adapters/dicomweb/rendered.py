"""WADO-RS rendered resources and thumbnails: pictures, and the documents inside instances.

Implements PS3.18 10.4.1.1.3 (Rendered), 10.4.1.1.4 (Thumbnail), 8.3.5 (parameters). Called by
`endpoint.py`; pixels are decoded in the renderers' pool, at most so many at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from zlib import crc32

from adapters.dicomweb import decode, negotiate
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.dicomweb.corrected import Versions, versions
from adapters.dicomweb.frames import FrameResources
from adapters.dicomweb.kept_pictures import RememberedPictures
from adapters.http.exchange import Exchange
from adapters.http.media_types import MediaType, accepted
from adapters.http.multipart import MultipartWriter
from adapters.http.ranges import unchanged
from adapters.http.refusals import NotAcceptable
from kernel.refusals import Unavailable
from projections.storage_map.view import Location
from registry.access.values import Subject
from repository.instances import presentation_states, rendering
from repository.instances.header import read_header_of
from repository.instances.refusals import NoPixelData, NotRenderable
from repository.instances.rendering import Rendering

_CACHE: Final = b"private, max-age=86400, immutable"
_ASK_AGAIN: Final = b"private, no-cache"
"""Names burnt into a picture may be corrected at any time."""
_THUMBNAIL: Final = Rendering(
    viewport=(rendering.THUMBNAIL_SIDE, rendering.THUMBNAIL_SIDE), quality=80
)
"""The one picture of a frame that is kept on disk."""
_ENCAPSULATED: Final = "1.2.840.10008.5.1.4.1.1.104."
DOCUMENTS: Final = {
    _ENCAPSULATED + "1": "application/pdf",
    _ENCAPSULATED + "2": "text/xml",
    _ENCAPSULATED + "3": "model/stl",
    _ENCAPSULATED + "4": "model/obj",
    _ENCAPSULATED + "5": "model/mtl",
}
"""SOP classes that hold a document, and its media type."""


class RenderersBusy(Unavailable):
    """More pictures are asked for than can be made now."""

    code = "renderers_busy"


class RenderedResources:
    """Answers the rendered and thumbnail resources; one a process."""

    def __init__(self, archive: Archive, access: Access, frames: FrameResources) -> None:
        self._archive = archive
        self._access = access
        self._frames = frames
        self._waiting = 0
        self._remembered = RememberedPictures()

    async def one(
        self,
        exchange: Exchange,
        subject: Subject,
        location: Location,
        number: int = 0,
        *,
        thumbnail: bool = False,
    ) -> None:
        """Answer with one picture, the document that the instance encapsulates, or its video.

        `number` is 0 when the path names no frame.
        """
        if not thumbnail and self._plays(exchange, location):
            await self._frames.answer(exchange, subject, location, (number or 1,))
            return
        wanted = self._wanted(exchange, location, thumbnail=thumbnail)
        given = await versions(exchange, self._archive, (location,)) if wanted.annotation else None
        await self._seen(subject, location, thumbnail=thumbnail)
        told = repr(wanted) + (given.tag(location) if given is not None else "")
        etag = b'"%s-%d-%08x"' % (location.key[:32].encode(), number, crc32(told.encode()))
        headers = [
            (b"content-type", wanted.media_type.encode()),
            (b"etag", etag),
            (b"cache-control", _CACHE if given is None else _ASK_AGAIN),
            (b"vary", b"accept"),
        ]
        if unchanged(exchange, etag.decode()):
            await exchange.answer(304, headers[1:])
            return
        body = await self.picture(location, number, wanted, given=given)
        await exchange.answer(200, headers, body)

    async def many(
        self, exchange: Exchange, subject: Subject, locations: Sequence[Location]
    ) -> None:
        """Answer with a picture of every instance of a series or study, as parts."""
        accept = accepted(exchange.header(b"accept"), exchange.asked("accept"))
        if not any(media.essence in {"multipart/related", "*/*"} for media in accept):
            await self.one(exchange, subject, representative(locations))
            return
        shown = [one for one in locations if _is_shown(one)]
        shown = shown[: self._archive.limits.rendered_instances]
        if not shown:
            raise NoPixelData("nothing there can be shown as a picture")
        await self._seen(subject, shown[0], thumbnail=False, count=len(shown))
        annotated = bool(decode.rendering(exchange.query).annotation)
        given = await versions(exchange, self._archive, shown) if annotated else None
        writer = MultipartWriter()
        base = exchange.base + self._archive.prefix
        begun = False
        for location in shown:
            wanted = self._wanted(exchange, location, thumbnail=False)
            try:
                picture = await self.picture(location, 0, wanted, given=given)
            except (NotRenderable, NoPixelData):
                continue
            if not begun:
                await exchange.begin(
                    200,
                    [
                        (b"content-type", writer.content_type(wanted.media_type).encode()),
                        (b"cache-control", b"private, no-cache"),
                    ],
                )
                begun = True
            url = (
                f"{base}/studies/{location.study_uid}/series/{location.series_uid}"
                f"/instances/{location.sop_uid}/rendered"
            )
            await exchange.piece(writer.head(wanted.media_type, url, len(picture)) + picture)
        if not begun:
            raise NotRenderable("nothing there can be shown as a picture")
        await exchange.piece(writer.tail)
        await exchange.end()

    def _plays(self, exchange: Exchange, location: Location) -> bool:
        """Tell whether the client names the video that is stored (PS3.18 8.7.4)."""
        kind = negotiate.media_of(location.transfer_syntax)
        accept = accepted(exchange.header(b"accept"), exchange.asked("accept"))
        return kind.startswith("video/") and any(
            media.main == "video" and media.covers(kind) for media in accept
        )

    async def _seen(
        self, subject: Subject, location: Location, *, thumbnail: bool, count: int = 1
    ) -> None:
        name = "WADO-RS.thumbnail" if thumbnail else "WADO-RS.rendered"
        await self._access.viewed(
            subject, location.study_uid, location.patient_key, transaction=name, count=count
        )

    def _wanted(self, exchange: Exchange, location: Location, *, thumbnail: bool) -> Rendering:
        asked = decode.rendering(exchange.query)
        document = DOCUMENTS.get(location.sop_class)
        media_type = _chosen(
            accepted(exchange.header(b"accept"), exchange.asked("accept")),
            (document,) if document and not thumbnail else tuple(rendering.FORMATS),
        )
        if not thumbnail:
            return replace(asked, media_type=media_type, enlarged=asked.viewport is not None)
        side = rendering.THUMBNAIL_SIDE
        return replace(
            asked,
            media_type=media_type,
            viewport=asked.viewport or (side, side),
            quality=min(asked.quality, 80),
            annotation=(),
        )

    async def picture(
        self,
        location: Location,
        number: int,
        wanted: Rendering,
        *,
        state: Location | None = None,
        given: Versions | None = None,
    ) -> bytes:
        """Return one picture, or the document of the instance if that is what is wanted.

        `state` is the presentation state that it is shown by; of a presentation state itself the
        image that it is for is shown (PS3.18 8.3.5.2), `number` counting its images then.
        """
        if location.sop_class in DOCUMENTS and wanted.media_type not in rendering.FORMATS:
            return await self._archive.run(self._document, location)
        if state is None and location.sop_class in presentation_states.SOP_CLASSES:
            state = location
            location, number = await self._archive.run(self._referenced, state, number)
        if state is not None:
            wanted = replace(wanted, state=state.key)
        is_plain = not wanted.annotation
        key = (location.key, number, repr(wanted))
        found = self._remembered.get(key) if is_plain else None
        if found is not None:
            return found
        if self._waiting >= self._archive.limits.renderings:
            raise RenderersBusy
        self._waiting += 1
        try:
            picture = await asyncio.get_running_loop().run_in_executor(
                self._archive.renderers, self._made, location, number, wanted, state, given
            )
        finally:
            self._waiting -= 1
        if is_plain:
            self._remembered.put(key, picture)
        return picture

    def _made(
        self,
        location: Location,
        number: int,
        wanted: Rendering,
        state: Location | None,
        given: Versions | None,
    ) -> bytes:
        """Read and render (in a renderer's thread); thumbnails of the plain kind are kept."""
        kept = self._archive.pictures if wanted == _THUMBNAIL else None
        name = f"{max(number, 1)}-thumbnail-{wanted.version}"
        if kept is not None:
            found = kept.get(location.key, name)
            if found is not None:
                return found
        if number == 0 and wanted.media_type == rendering.GIF and location.frames.count > 1:
            return self._animated(location, wanted)
        number = number or 1
        header, frames = self._frames.decoded(location, (number,))
        if given is not None and location.sop_uid in given.changes:
            file = given.open(self._archive, location)
            header = read_header_of(file.read, file.size)
        told = self._archive.stored.header(state.key) if state is not None else None
        picture = rendering.render(header, frames[0], number, wanted, told)
        if kept is not None:
            kept.put(location.key, name, picture)
        return picture

    def _animated(self, location: Location, wanted: Rendering) -> bytes:
        header = self._archive.stored.header(location.key)
        every = range(1, location.frames.count + 1)
        frames = ((n, self._frames.decoded(location, (n,))[1][0]) for n in every)
        return rendering.animate(header, frames, wanted)

    def _referenced(self, state: Location, number: int) -> tuple[Location, int]:
        """Return the image and frame that a presentation state is for, the `number`th of them."""
        header = self._archive.stored.header(state.key)
        references = presentation_states.references(header)
        for reference in references[max(number - 1, 0) :]:
            found = self._archive.storage.locate(reference.sop_uid)
            # Of another study: the caller was asked for this one only.
            if found is not None and found.study_uid == state.study_uid and found.frames.count:
                frame = reference.frames[0] if reference.frames else 1
                return found, max(frame, 1)
            if number:
                break
        raise NoPixelData("the images of the presentation state are not here")

    def _document(self, location: Location) -> bytes:
        return rendering.document(self._archive.stored.header(location.key))[1]


def _is_shown(location: Location) -> bool:
    """Tell whether an instance has a picture of its own, or is a document."""
    return location.frames.count > 0 or location.sop_class in DOCUMENTS


def representative(locations: Sequence[Location]) -> Location:
    """Return the instance that stands for a series or study: one in the middle with pixels."""
    shown = [one for one in locations if one.frames.count]
    if not shown:
        raise NoPixelData("nothing there can be shown as a picture")
    return shown[len(shown) // 2]


def _chosen(accept: Sequence[MediaType], offered: Sequence[str | None]) -> str:
    for media in accept:
        wanted = media
        if media.essence == "multipart/related":
            main, _, sub = (media.get("type") or "*/*").partition("/")
            wanted = MediaType(main, sub)
        for name in offered:
            if name is not None and wanted.covers(name):
                return name
    raise NotAcceptable("no accepted media type can be rendered", offered=list(offered))
