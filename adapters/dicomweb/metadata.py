"""WADO-RS metadata: the headers of a study, series or instance, without bulk data.

Implements PS3.18 10.4.1.1.2 (Metadata Resources). Called by `endpoint.py`. An answer is kept in
memory under the revision of its series, so it is made once and sent many times.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final
from uuid import UUID

from adapters.dicomweb import decode, encode
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.dicomweb.corrected import ORIGINAL, versions
from adapters.http.exchange import Exchange
from adapters.http.media_types import accepted
from adapters.http.multipart import MultipartWriter
from adapters.http.ranges import unchanged
from adapters.http.refusals import NotAcceptable
from kernel.refusals import NotFound
from registry.access.values import Subject

_KEPT_OCTETS: Final = 64 << 20
_Key = tuple[str, str, str, bool, bool]


class NoSuchResource(NotFound):
    """There is no such study, series, instance or part of one here."""

    code = "no_such_resource"


class MetadataCache:
    """Ready answers, the least lately used given up first; thread safe."""

    def __init__(self, octets: int = _KEPT_OCTETS) -> None:
        self._octets = octets
        self._held: OrderedDict[_Key, tuple[int, bytes]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: _Key, revision: int) -> bytes | None:
        """Return the answer if it is of this revision."""
        with self._lock:
            held = self._held.get(key)
            if held is None or held[0] != revision:
                return None
            self._held.move_to_end(key)
            return held[1]

    def put(self, key: _Key, revision: int, body: bytes) -> None:
        """Keep an answer."""
        with self._lock:
            old = self._held.pop(key, None)
            self._size += len(body) - (len(old[1]) if old is not None else 0)
            self._held[key] = (revision, body)
            while self._size > self._octets and self._held:
                _key, (_revision, given_up) = self._held.popitem(last=False)
                self._size -= len(given_up)


class MetadataResources:
    """Answers the metadata resources; one a process."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access
        self._cache = MetadataCache()

    async def of_many(
        self, exchange: Exchange, subject: Subject, study_uid: str, series_uid: str = ""
    ) -> None:
        """Answer .../studies/{study}/metadata and .../series/{series}/metadata."""
        as_xml = _wants_xml(exchange)
        state = await self._archive.run(self._archive.index.revision, study_uid, series_uid)
        if state is None:
            raise NoSuchResource("there is no such study or series")
        revision, patient_key = state
        original = decode.wants_original(exchange.query)
        await self._seen(subject, study_uid, patient_key, ORIGINAL if original else "")
        etag = f'W/"{revision:x}{"-original" if original else ""}"'.encode()
        if unchanged(exchange, etag.decode()):
            await exchange.answer(304, _headers(etag))
            return
        zipped = exchange.accepts_gzip and not as_xml
        base = exchange.base + self._archive.prefix
        key = (study_uid, series_uid, base, zipped, original)
        body = await self._archive.run(self._body, key, revision)
        await _send(exchange, body, etag, as_xml=as_xml, zipped=zipped)

    async def of_one(
        self, exchange: Exchange, subject: Subject, study_uid: str, series_uid: str, sop_uid: str
    ) -> None:
        """Answer .../instances/{instance}/metadata."""
        as_xml = _wants_xml(exchange)
        places = await self._archive.run(self._archive.storage.locate_many, (sop_uid,))
        location = places.get(sop_uid)
        index, original = self._archive.index, decode.wants_original(exchange.query)
        found = await self._archive.run(
            lambda: index.instance_metadata(study_uid, series_uid, sop_uid, original=original)
        )
        if location is None or found is None:
            raise NoSuchResource("there is no such instance")
        given = await versions(exchange, self._archive, (location,))
        await self._seen(subject, study_uid, location.patient_key, given.detail)
        etag = f'W/"{given.tag(location)}"'.encode()
        if unchanged(exchange, etag.decode()):
            await exchange.answer(304, _headers(etag))
            return
        body = encode.array([found], exchange.base + self._archive.prefix)
        zipped = exchange.accepts_gzip and not as_xml and encode.worth_compressing(body)
        if zipped:
            body = encode.compressed(body)
        await _send(exchange, body, etag, as_xml=as_xml, zipped=zipped)

    async def _seen(self, subject: Subject, study_uid: str, patient_key: UUID, detail: str) -> None:
        await self._access.viewed(
            subject, study_uid, patient_key, transaction="WADO-RS.metadata", detail=detail
        )

    def _body(self, key: _Key, revision: int) -> bytes:
        body = self._cache.get(key, revision)
        if body is None:
            study_uid, series_uid, base, zipped, original = key
            # The revision was read behind the barrier: what is read now is not older.
            pieces = self._archive.index.metadata(
                study_uid, series_uid, fresh=False, original=original
            )
            body = encode.array(pieces, base)
            if zipped:
                body = encode.compressed(body)
            self._cache.put(key, revision, body)
        return body


async def _send(
    exchange: Exchange, body: bytes, etag: bytes, *, as_xml: bool, zipped: bool
) -> None:
    headers = _headers(etag)
    if as_xml:
        writer = MultipartWriter()
        parts = [writer.head(encode.XML) + one for one in encode.xml_documents(body)]
        headers.append((b"content-type", writer.content_type(encode.XML).encode()))
        await exchange.answer(200, headers, b"".join([*parts, writer.tail]))
        return
    headers.append((b"content-type", encode.JSON.encode()))
    if zipped:
        headers.append((b"content-encoding", b"gzip"))
    await exchange.answer(200, headers, body)


def _headers(etag: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"etag", etag),
        (b"cache-control", b"private, no-cache"),
        (b"vary", b"accept, accept-encoding"),
    ]


def _wants_xml(exchange: Exchange) -> bool:
    for media in accepted(exchange.header(b"accept"), exchange.asked("accept")):
        if media.essence == "multipart/related" and media.get("type") == encode.XML:
            return True
        if media.covers(encode.JSON) or media.covers(encode.PLAIN_JSON):
            return False
    raise NotAcceptable("metadata are application/dicom+json, or dicom+xml in multipart/related")
