"""Payloads of the Worklist Service: attribute lists as DICOM JSON or XML, in and out.

Implements PS3.18 8.7.3 and F (DICOM JSON), PS3.19 A.1 (Native DICOM Model). What comes in goes once
through a data set, so that it is held as if it had come by DIMSE. Called by `workitems.py`.
"""

from __future__ import annotations

import io
import warnings
from typing import Any, Final

import msgspec
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset

from adapters.dicomweb import encode, native_xml
from adapters.http.exchange import Exchange
from adapters.http.media_types import accepted, parse
from adapters.http.multipart import MultipartWriter
from adapters.http.refusals import NotAcceptable, UnsupportedMedia
from registry.workitems.values import Attributes
from repository.instances import charsets
from repository.instances.dicom_json import dataset_json
from repository.instances.elements import Walker
from repository.instances.part10 import EXPLICIT_VR_LITTLE, encoding_of
from repository.instances.refusals import MalformedInstance, NestedTooDeep

MOST: Final = 4 << 20
"""Octets of a payload; a workitem that lists 1,000 input instances has about 200 kB."""
_MAX_DEPTH: Final = 16
_CHARACTER_SET: Final = "00080005"
_UTF_8: Final = "ISO_IR 192"
_GROUPS_OF_MESSAGES: Final = ("0000", "0002")
_decode: Final = msgspec.json.Decoder().decode
_members: Final = msgspec.json.Decoder(dict[str, Any]).decode


async def attributes_of(exchange: Exchange, *, may_be_empty: bool = False) -> Attributes:
    """Return the data set of a request; raises UnsupportedMedia, MalformedInstance."""
    body = b"".join([piece async for piece in exchange.body(MOST)])
    if not body and may_be_empty:
        return {}
    told = exchange.header(b"content-type") or encode.JSON
    media = parse(told)
    essence = media.essence if media is not None else ""
    if essence in {encode.JSON, encode.PLAIN_JSON}:
        return canonical(_json(body))
    if essence == encode.XML:
        return canonical(native_xml.dataset_of(body))
    raise UnsupportedMedia("a workitem comes as application/dicom+json or application/dicom+xml")


def canonical(members: dict[str, Any]) -> Attributes:
    """Return attributes as they would have come by DIMSE, in Unicode; raises MalformedInstance."""
    _check_depth(members)
    kept = {tag: told for tag, told in members.items() if not tag.startswith(_GROUPS_OF_MESSAGES)}
    out = io.BytesIO()
    try:
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            dataset = Dataset.from_json(_without_character_sets(kept))
            dataset.SpecificCharacterSet = _UTF_8
            stream = DicomIO(out)
            stream.is_little_endian, stream.is_implicit_VR = True, False
            write_dataset(stream, dataset)
        octets = out.getvalue()
        walked = Walker(octets).top_level(0, encoding_of(EXPLICIT_VR_LITTLE))
        told = _members(dataset_json(walked, charsets.codecs_of(_UTF_8)))
    except Exception as problem:  # values of any kind may stand where one kind is expected
        raise MalformedInstance("the payload is no DICOM data set") from problem
    return _without_character_sets(told)


async def answer(
    exchange: Exchange, workitem: Attributes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Answer with one workitem, in the form that is asked for."""
    if wants_xml(exchange):
        kind, body = encode.XML, encode.xml_document(workitem)
    else:
        kind, body = encode.JSON, msgspec.json.encode(workitem)
    await exchange.answer(200, [*headers, (b"content-type", kind.encode())], body)


async def answer_many(
    exchange: Exchange, status: int, workitems: list[Attributes], headers: list[tuple[bytes, bytes]]
) -> None:
    """Answer with what a search found, in the form that is asked for."""
    if not wants_xml(exchange):
        body = msgspec.json.encode(workitems)
        headers.append((b"content-type", encode.JSON.encode()))
        if exchange.accepts_gzip and encode.worth_compressing(body):
            body = encode.compressed(body)
            headers.append((b"content-encoding", b"gzip"))
        await exchange.answer(status, headers, body)
        return
    writer = MultipartWriter()
    parts = [writer.head(encode.XML) + encode.xml_document(one) for one in workitems]
    headers.append((b"content-type", writer.content_type(encode.XML).encode()))
    await exchange.answer(status, headers, b"".join([*parts, writer.tail]))


def wants_xml(exchange: Exchange) -> bool:
    """Tell whether XML is wanted before JSON; raises NotAcceptable for neither."""
    for media in accepted(exchange.header(b"accept"), exchange.asked("accept")):
        if media.essence == "multipart/related" and media.get("type") == encode.XML:
            return True
        if media.covers(encode.JSON) or media.covers(encode.PLAIN_JSON):
            return False
        if media.covers(encode.XML):
            return True
    raise NotAcceptable("a workitem is answered in application/dicom+json or dicom+xml")


def _json(octets: bytes) -> dict[str, Any]:
    try:
        told = _decode(octets)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedInstance("the payload is not JSON") from None
    if isinstance(told, list) and len(told) == 1:
        told = told[0]
    if not isinstance(told, dict):
        raise MalformedInstance("the payload is not one DICOM JSON data set")
    return told


def _check_depth(told: Any, depth: int = 0) -> None:
    """Raise NestedTooDeep, and MalformedInstance for what is no data set."""
    if depth > _MAX_DEPTH:
        raise NestedTooDeep("sequences are nested too deep")
    if not isinstance(told, dict):
        raise MalformedInstance("the payload is no DICOM data set")
    for member in told.values():
        if not isinstance(member, dict) or "BulkDataURI" in member:
            raise MalformedInstance("a value is no DICOM attribute, or lies elsewhere")
        values = member.get("Value", [])
        if not isinstance(values, list):
            raise MalformedInstance("the values of an attribute are no list")
        if member.get("vr") == "SQ":
            for item in values:
                _check_depth(item, depth + 1)


def _without_character_sets(told: Attributes) -> Attributes:
    """Return attributes and items without their character sets: JSON is Unicode (PS3.18 F.2.2)."""
    return {
        tag: {**member, "Value": [_without_character_sets(item) for item in member["Value"]]}
        if member.get("vr") == "SQ" and "Value" in member
        else member
        for tag, member in told.items()
        if tag != _CHARACTER_SET
    }
