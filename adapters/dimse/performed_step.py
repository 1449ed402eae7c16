"""Attribute lists of performed procedure steps: from the wire to DICOM JSON, and back.

PS3.4 F.7.2 (attributes), PS3.18 F (DICOM JSON), PS3.5 6.1 (character sets). Pure; used by
`n_create.py`, `n_set.py` and `n_get.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec

from adapters.dimse.contexts import Context
from adapters.dimse.normalised import walk
from registry.procedure_steps.values import Attributes
from repository.instances import charsets
from repository.instances.dicom_json import dataset_json
from repository.instances.element_writing import element, item_of, texts, written
from repository.instances.elements import Encoding
from repository.instances.part10 import encoding_of
from repository.instances.refusals import MalformedInstance

_CHARACTER_SET: Final = 0x00080005
_MEMBER: Final = f"{_CHARACTER_SET:08X}"
_CHINESE: Final = frozenset({"GB18030", "GBK"})
_UNICODE: Final = "ISO_IR 192"
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def read(octets: bytes, context: Context) -> tuple[Attributes, str]:
    """Return the attributes, in Unicode, and the character set they came in.

    Raises BadIdentifierDataset and refusals of repository.instances.
    """
    dataset = walk(octets, context.transfer_syntax)
    character_set = "".join(c for c in dataset.ascii(_CHARACTER_SET) if c.isprintable())
    told = _decode(dataset_json(dataset, charsets.codecs_of(character_set)))
    return _unicode(told), character_set


def answer(
    attributes: Attributes, wanted: Collection[int], character_set: str, transfer_syntax: str
) -> bytes:
    """Return the wanted of the attributes as they go over the wire; all when none is named."""
    names = {f"{tag:08X}" for tag in wanted}
    chosen = {tag: told for tag, told in attributes.items() if not names or tag in names}
    declared = _declared(chosen, character_set)
    if declared:
        chosen[_MEMBER] = {"vr": "CS", "Value": [declared]}
    codec = charsets.codecs_of(declared)[0] if declared else "ascii"
    return _elements(chosen, encoding_of(transfer_syntax), codec)


def _declared(chosen: Attributes, character_set: str) -> str:
    """Return the character set to answer in, empty for the default repertoire."""
    told = "".join(text for member in chosen.values() for text in texts(member))
    if told.isascii():
        return ""
    first = character_set.split("\\", maxsplit=1)[0].strip().upper()
    try:
        told.encode(charsets.codecs_of(first)[0])
    except UnicodeEncodeError:
        return _UNICODE
    return first if first in _CHINESE else _UNICODE


def _elements(attributes: Attributes, encoding: Encoding, codec: str) -> bytes:
    members = sorted((int(tag, 16), member) for tag, member in attributes.items())
    return b"".join(_element(tag, member, encoding, codec) for tag, member in members)


def _element(tag: int, member: dict[str, Any], encoding: Encoding, codec: str) -> bytes:
    vr = str(member["vr"])
    if vr == "SQ":
        items = (_elements(item, encoding, codec) for item in member.get("Value", ()))
        inner = b"".join(item_of(item, encoding) for item in items)
        return element(tag, b"SQ", inner, encoding)
    try:
        return written(tag, member, encoding, codec)
    except MalformedInstance:
        # A modality may send what its VR has no room for: it is told to be there, and no more.
        return element(tag, vr.encode(), b"", encoding)


def _unicode(told: Attributes) -> Attributes:
    """Return attributes and items without their character sets, which hold no more."""
    return {
        tag: {**member, "Value": [_unicode(item) for item in member["Value"]]}
        if member.get("vr") == "SQ" and "Value" in member
        else member
        for tag, member in told.items()
        if tag != _MEMBER
    }
