"""QIDO-RS: searches for studies, series and instances.

Implements PS3.18 10.6 (Search Transaction). Called by `endpoint.py`; the answers are ready-made
JSON of the study index, put together and, if the client takes it, compressed.
"""

from __future__ import annotations

from adapters.dicomweb import decode, encode
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.http.exchange import Exchange
from adapters.http.media_types import accepted
from adapters.http.multipart import MultipartWriter
from adapters.http.refusals import NotAcceptable
from projections.study_index.attributes import Level
from projections.study_index.search import Found
from registry.access.values import Subject
from repository.instances.dictionary import keyword_of


async def search(
    exchange: Exchange,
    archive: Archive,
    access: Access,
    subject: Subject,
    *,
    level: Level,
    study_uid: str = "",
    series_uid: str = "",
) -> None:
    """Answer GET .../studies, .../series, .../instances."""
    await access.allow(subject, "query", study_uid=study_uid, transaction="QIDO-RS")
    as_xml = _wants_xml(exchange)
    asked = decode.search(exchange.query, level, study_uid, series_uid, archive.limits)
    policy = archive.clause(subject, "query", "study")
    found: Found = await archive.run(lambda: archive.searches.find(asked.search, policy=policy))
    await access.record(
        subject,
        "query",
        f"QIDO-RS.{level}",
        count=len(found.items),
        study_uids=found.study_uids[:20],
        detail=_keys(asked),
    )
    body = encode.array(found.items, exchange.base + archive.prefix)
    headers: list[tuple[bytes, bytes]] = [
        (b"cache-control", b"no-store"),
        (b"vary", b"accept, accept-encoding"),
        *((b"warning", text) for text in _warnings(asked, found)),
    ]
    if found.total is not None:
        headers.append((b"x-total-count", b"%d" % found.total))
    if as_xml:
        writer = MultipartWriter()
        parts = [writer.head(encode.XML) + document for document in encode.xml_documents(body)]
        whole = b"".join([*parts, writer.tail])
        headers.append((b"content-type", writer.content_type(encode.XML).encode()))
        await exchange.answer(200, headers, whole)
        return
    headers.append((b"content-type", encode.JSON.encode()))
    if exchange.accepts_gzip and encode.worth_compressing(body):
        body = encode.compressed(body)
        headers.append((b"content-encoding", b"gzip"))
    await exchange.answer(200, headers, body)


def _keys(asked: decode.Asked) -> str:
    """Return which keys were asked by, never their values: those may name a person."""
    paths = [(tag,) for tag, _ in asked.search.filters] + [path for path, _ in asked.search.paths]
    return ",".join(".".join(f"{tag:08X}" for tag in path) for path in paths)[:200]


def _warnings(asked: decode.Asked, found: Found) -> list[bytes]:
    """Return the Warning headers of PS3.18 10.6.3.2 and 8.3.4.6."""
    told = []
    if found.more:
        left = "" if found.total is None else f"{found.total - _offset_after(asked, found)} "
        text = f"There are {left}additional results that can be requested"
        told.append(f'299 pianku "{text}"'.encode("ascii"))
    ignored = [keyword_of(tag) or f"{tag:08X}" for tag in found.ignored]
    names = [*ignored, *(name for name in asked.unknown if name.isascii() and name.isalnum())]
    if names or asked.unknown:
        text = "The following attributes were not used for matching: " + ",".join(names)
        told.append(f'299 pianku "{text}"'.encode("ascii", "replace"))
    if asked.not_returned:
        named = ",".join(name for name in asked.not_returned if name.isascii() and name.isalnum())
        text = f"The following attributes are not known and were not included: {named}"
        told.append(f'299 pianku "{text}"'.encode("ascii"))
    return told


def _offset_after(asked: decode.Asked, found: Found) -> int:
    """Return the offset of the page after this one."""
    return asked.search.offset + len(found.items)


def _wants_xml(exchange: Exchange) -> bool:
    for media in accepted(exchange.header(b"accept"), exchange.asked("accept")):
        if media.essence == "multipart/related" and media.get("type") == encode.XML:
            return True
        if media.covers(encode.JSON) or media.covers(encode.PLAIN_JSON):
            return False
        if media.covers(encode.XML):
            return True
    raise NotAcceptable("a search is answered in application/dicom+json or dicom+xml")
