"""STOW-RS: instances come in as parts of a request and stream to the intake.

Implements PS3.18 10.5 (Store Transaction). Called by `endpoint.py`; Part 10 files are written by a
worker thread and never held whole in memory, metadata and bulk data are composed to files first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from adapters.dicomweb import encode
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.dicomweb.stow_metadata import METADATA, MetadataParts
from adapters.dicomweb.stow_response import Result, response, response_status
from adapters.http.exchange import Exchange
from adapters.http.media_types import MediaType, accepted, parse
from adapters.http.multipart import (
    MultipartParser,
    PartBegins,
    PartData,
    PartEnds,
    PartEvent,
    boundary_of,
)
from adapters.http.refusals import BadMultipart, BodyTooLarge, NotAcceptable, UnsupportedMedia
from kernel.context import Envelope
from kernel.refusals import Refusal
from registry.access.values import Subject
from registry.studies.refusals import InstanceMismatch
from repository.instances.composing import compose
from repository.instances.header import InstanceHeader, identify, read_header
from repository.instances.part10 import with_preamble
from repository.instances.refusals import (
    HeaderTooLarge,
    MalformedInstance,
    NestedTooDeep,
    TruncatedInstance,
)
from repository.tiers.ports import Incoming
from workflows.gather_instances import Offer

_GATHER: Final = 1 << 20
"""Octets that are handed to the worker thread at once."""
_PREFIXES: Final = (64 << 10, 1 << 20, 16 << 20)
"""How much of a part is kept to find its identifiers; the last is the most we look through."""
_FLUSH_PARTS: Final = 64
_FLUSH_OCTETS: Final = 256 << 20
_DICOM: Final = "application/dicom"
COERCED: Final = 0xB000
"""Warning Reason: attributes were added that the metadata did not tell (PS3.18 table 10.5.3-2)."""


@dataclass(slots=True)
class _Part:
    """A part that is coming in."""

    incoming: Incoming | None
    prefix: bytearray = field(default_factory=bytearray)
    header: InstanceHeader | None = None
    step: int = 0
    refusal: Refusal | None = None


class Reception:
    """Takes the body of one request; used by one worker thread at a time."""

    def __init__(
        self, archive: Archive, envelope: Envelope, study_uid: str, content_type: MediaType
    ) -> None:
        self._archive = archive
        self._envelope = envelope
        self._study_uid = study_uid
        self._parser: MultipartParser | None = None
        self._part: _Part | None = None
        self._offers: list[Offer] = []
        self._pending: list[InstanceHeader] = []
        self._completed: set[str] = set()
        self._apart: MetadataParts | None = None
        self._octets = 0
        self.results: list[Result] = []
        if content_type.essence == "multipart/related":
            kind = content_type.get("type", _DICOM).lower()
            if kind in METADATA:
                self._apart = MetadataParts()
            elif kind != _DICOM:
                raise UnsupportedMedia("parts of DICOM files or of DICOM metadata are stored")
            self._parser = MultipartParser(
                boundary_of(content_type), max_parts=archive.limits.parts
            )
        elif content_type.essence == _DICOM:
            self._begin({"content-type": _DICOM})
        else:
            raise UnsupportedMedia("multipart/related with application/dicom parts is expected")

    def feed(self, pieces: Sequence[bytes]) -> None:
        """Take pieces of the body in, as they came.

        They are not joined: blocks this small stay in the heap, while a megabyte is mapped and
        given back each time, which costs more than its hash.
        """
        for octets in pieces:
            if self._parser is None:
                self._data(octets)
                continue
            for event in self._parser.feed(octets):
                self._handle(event)

    def finish(self) -> list[Result]:
        """Say that the body is complete; return what became of each part."""
        if self._parser is None:
            self._end()
        else:
            self._parser.finish()
        if self._apart is not None:
            self._compose(self._apart)
        self._flush()
        if not self.results:
            raise BadMultipart("the body has no parts")
        return self.results

    def abort(self) -> None:
        """Forget what came and is not stored yet."""
        if self._part is not None and self._part.incoming is not None:
            self._part.incoming.discard()
        for offer in self._offers:
            offer.incoming.discard()
        self._offers = []

    def _compose(self, parts: MetadataParts) -> None:
        """Store what metadata and bulk data describe."""
        self._apart = None
        bulk = parts.bulk()
        for metadata in parts.datasets:
            try:
                made = compose(metadata, bulk, study_uid=self._study_uid)
            except Refusal as refusal:
                self.results.append(Result(None, refusal))
                continue
            self._begin({"content-type": _DICOM})
            self._data(made.octets)
            if made.completed:
                self._completed.add(identify(made.octets).sop_uid)
            self._end()

    def _handle(self, event: PartEvent) -> None:
        if self._apart is not None:
            self._gather(self._apart, event)
            return
        match event:
            case PartBegins(headers):
                self._begin(headers)
            case PartData(octets):
                self._data(octets)
            case PartEnds():
                self._end()

    def _gather(self, parts: MetadataParts, event: PartEvent) -> None:
        match event:
            case PartBegins(headers):
                parts.begin(headers)
            case PartData(octets):
                parts.data(octets)
            case PartEnds():
                try:
                    parts.end()
                except (MalformedInstance, NestedTooDeep) as refusal:
                    self.results.append(Result(None, refusal))

    def _begin(self, headers: Any) -> None:
        media = parse(headers.get("content-type", _DICOM))
        if media is None or media.essence != _DICOM:
            self._part = _Part(None, refusal=UnsupportedMedia("the part is not application/dicom"))
            return
        self._part = _Part(self._archive.blobs.incoming())

    def _data(self, octets: bytes) -> None:
        part = self._part
        assert part is not None
        if part.refusal is not None or part.incoming is None:
            return
        if not part.incoming.size:
            octets = with_preamble(octets)
        try:
            part.incoming.write(octets)
            if part.incoming.size > self._archive.limits.part_octets:
                raise BodyTooLarge("an instance is larger than we take")
            if part.header is None:
                part.prefix += octets
                if len(part.prefix) >= _PREFIXES[part.step]:
                    self._look(part)
        except Refusal as refusal:
            _refuse(part, refusal)

    def _look(self, part: _Part) -> None:
        """Find the identifiers in what has come so far."""
        try:
            part.header = identify(bytes(part.prefix))
        except TruncatedInstance:
            part.step += 1
            if part.step == len(_PREFIXES):
                raise HeaderTooLarge("the header is larger than we read") from None
        except Refusal:
            if len(part.prefix) >= 1 << 20:
                raise
            part.step = min(part.step + 1, len(_PREFIXES) - 1)

    def _end(self) -> None:
        part, self._part = self._part, None
        assert part is not None
        if part.refusal is None and part.incoming is not None:
            try:
                header = self._checked(part)
                part.incoming.seal()
                self._offers.append(Offer(part.incoming, header))
                self._pending.append(header)
                self._octets += part.incoming.size
            except Refusal as refusal:
                _refuse(part, refusal)
        if part.refusal is not None:
            self.results.append(Result(part.header, part.refusal))
        if len(self._offers) >= _FLUSH_PARTS or self._octets >= _FLUSH_OCTETS:
            self._flush()

    def _checked(self, part: _Part) -> InstanceHeader:
        assert part.incoming is not None
        if part.header is None:
            part.header = identify(bytes(part.prefix))
        header = part.header
        if self._study_uid and header.study_uid != self._study_uid:
            raise InstanceMismatch("the instance belongs to another study than the path")
        _check_length(bytes(part.prefix), part.incoming.size)
        return header

    def _flush(self) -> None:
        offers, headers = self._offers, self._pending
        self._offers, self._pending, self._octets = [], [], 0
        if not offers:
            return
        outcomes = self._archive.intake.store_many(offers, self._envelope)
        self.results.extend(
            Result(
                header,
                outcome if isinstance(outcome, Refusal) else None,
                COERCED if header.sop_uid in self._completed else 0,
            )
            for header, outcome in zip(headers, outcomes, strict=True)
        )


def _refuse(part: _Part, refusal: Refusal) -> None:
    part.refusal = refusal
    part.prefix = bytearray()
    if part.incoming is not None:
        part.incoming.discard()
        part.incoming = None


def _check_length(prefix: bytes, size: int) -> None:
    """Refuse a file that ends before its pixel data do, or in its header."""
    try:
        header = read_header(prefix)
    except TruncatedInstance:
        if len(prefix) >= size:
            raise
        return  # the header goes on after the part that was kept
    pixels = header.pixels
    if pixels is None or pixels.length is None or header.deflated:
        return
    if pixels.offset + pixels.length > size:
        raise TruncatedInstance("the pixel data are cut off")


async def store(
    exchange: Exchange, archive: Archive, access: Access, subject: Subject, study_uid: str
) -> None:
    """Answer POST /studies and /studies/{study}."""
    await access.allow(subject, "store", study_uid=study_uid, transaction="STOW-RS")
    content_type = parse(exchange.header(b"content-type") or "")
    if content_type is None:
        raise UnsupportedMedia("the request has no content type")
    as_xml = _wants_xml(exchange)
    envelope = archive.guard.envelope(subject, "stow-rs")
    reception = Reception(archive, envelope, study_uid, content_type)
    taking: asyncio.Future[None] | None = None
    try:
        gathered: list[bytes] = []
        size = 0
        async for chunk in exchange.body(archive.limits.request_octets):
            gathered.append(chunk)
            size += len(chunk)
            if size >= _GATHER:
                # One piece is hashed and written while the next comes in.
                if taking is not None:
                    await taking
                taking = asyncio.ensure_future(archive.run(reception.feed, gathered))
                gathered, size = [], 0
        if taking is not None:
            await taking
        await archive.run(_last, reception, gathered)
    except BaseException:
        if taking is not None:
            await asyncio.gather(taking, return_exceptions=True)
        await archive.run(reception.abort)
        raise
    results = reception.results
    stored = [r.header for r in results if r.refusal is None and r.header is not None]
    studies = list(dict.fromkeys(r.header.study_uid for r in results if r.header is not None))
    await access.record(
        subject,
        "store",
        "STOW-RS",
        outcome="success" if stored else "failed",
        study_uids=studies,
        count=len(stored),
        detail=",".join(sorted({r.refusal.code for r in results if r.refusal is not None})),
    )
    told = response(results, exchange.base + archive.prefix)
    body = encode.xml_document(told) if as_xml else msgspec.json.encode(told)
    media = encode.XML if as_xml else encode.JSON
    headers = [(b"content-type", media.encode())]
    status = response_status(results)
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await exchange.answer(status, headers, body)


def _last(reception: Reception, pieces: Sequence[bytes]) -> None:
    reception.feed(pieces)
    reception.finish()


def _wants_xml(exchange: Exchange) -> bool:
    accept = accepted(exchange.header(b"accept"), exchange.asked("accept"))
    for media in accept:
        if media.covers(encode.JSON) or media.covers(encode.PLAIN_JSON):
            return False
        if media.covers(encode.XML):
            return True
    raise NotAcceptable("the answer is application/dicom+json or application/dicom+xml")
