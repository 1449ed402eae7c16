"""From DICOM JSON of the study index to the identifiers of C-FIND responses.

PS3.4 C.4.1.1.3.2 (what a response identifier holds), PS3.18 F (DICOM JSON), PS3.5 6.1 (character
sets). Pure; called by `c_find.py`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from adapters.dimse.contexts import IMPLICIT_LITTLE
from adapters.dimse.query import Asked, Identifier, Level, is_private
from projections.study_index import kept
from projections.study_index.attributes import MARK
from repository.instances import charsets

Members: TypeAlias = "dict[str, dict[str, Any]]"
"""A DICOM JSON object."""

_UTF_8: Final = ("ISO_IR 192",)
_ASCII: Final = frozenset(("", "ISO 2022 IR 6"))
_G1: Final = {"ISO 2022 IR 58": (b"\x1b$)A", "gb2312"), "ISO 2022 IR 149": (b"\x1b$)C", "euc_kr")}
"""Second sets of two octets a character, and what designates them (PS3.3 C.12.1.1.2)."""
_TEXTS: Final = frozenset(("SH", "LO", "ST", "LT", "UC", "UT", "PN"))
_decode: Final = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def members(item: bytes) -> Members:
    """Return the members of a stored JSON object, without the places of URLs."""
    return _decode(item.replace(MARK, b""))


def patients(
    studies: Iterable[tuple[str, Members]], seen: set[tuple[str, str]]
) -> Iterator[Members]:
    """Yield one answer for each patient among studies that was not `seen` before."""
    for owner, study in studies:
        key = (owner, _first(study, "00100020"))
        if key not in seen:
            seen.add(key)
            yield study


def encode_answer(
    identifier: Identifier,
    found: Mapping[str, dict[str, Any]],
    transfer_syntax: str,
    *,
    ae_title: str,
) -> bytes:
    """Return the response identifier: each key that was asked for, empty where we have nothing."""
    answer = Dataset()
    wanted = {
        name: _part(identifier, tag, found[name])
        for tag in identifier.keys
        if (name := f"{tag:08X}") in found
    }
    terms = _character_set(identifier.character_set, wanted)
    designation = _G1.get(terms[1]) if len(terms) == 2 else None
    if designation is not None:
        wanted = {name: _escaped(attribute, *designation) for name, attribute in wanted.items()}
    with warnings.catch_warnings():
        # Values are told as they were stored, also those that break the rules of their VR.
        warnings.simplefilter("ignore")
        answer.update(Dataset.from_json(wanted))
        for tag in identifier.keys:
            if tag not in answer and not is_private(tag):
                answer.add(DataElement(tag, _vr(tag), None))
        answer.QueryRetrieveLevel = str(identifier.level)
        answer.RetrieveAETitle = ae_title
        if identifier.level is not Level.PATIENT:
            answer.InstanceAvailability = "ONLINE"
        head = Dataset()
        head.SpecificCharacterSet = list(terms)
        out = DicomBytesIO()
        out.is_little_endian = True
        out.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
        write_dataset(out, head)
        write_dataset(out, answer, "ISO_IR 100" if designation else list(terms))
    return out.getvalue()


def _part(identifier: Identifier, tag: int, attribute: dict[str, Any]) -> dict[str, Any]:
    """Return of a sequence the items that match, with what is asked for (PS3.4 C.2.2.2.6)."""
    asked = identifier.sequences.get(tag)
    if not asked or attribute.get("vr") != "SQ":
        return attribute
    keys = [(path[1:], value) for path, value in identifier.nested if path[0] == tag]
    tree = kept.tree_of(keys)
    items = [
        _chosen(asked, item) for item in attribute.get("Value", ()) if kept.item_matches(tree, item)
    ]
    return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}


def _chosen(asked: Asked, item: Members) -> Members:
    found: Members = {}
    for tag, inner in sorted(asked.items()):
        name = f"{tag:08X}"
        held = item.get(name, {"vr": _vr(tag)})
        if inner and held.get("vr") == "SQ":
            held = {"vr": "SQ", "Value": [_chosen(inner, one) for one in held.get("Value", ())]}
        found[name] = held
    return found


def _character_set(asked: str, told: Mapping[str, dict[str, Any]]) -> tuple[str, ...]:
    """Return the character set of the answer: the one of the request, if it can say everything."""
    terms = tuple(term.strip() for term in asked.split("\\"))
    if not asked or not all(not term or term in charsets.SUPPORTED for term in terms):
        return _UTF_8
    letters = {one for text in _texts(told.values()) for one in text if not one.isascii()}
    is_written = len(terms) == 1 or (terms[0] in _ASCII and terms[1] in _G1 and len(terms) == 2)
    codec = charsets.codecs_of(terms[-1])[0]
    return terms if is_written and all(_has(codec, one) for one in letters) else _UTF_8


def _escaped(attribute: dict[str, Any], escape: bytes, codec: str) -> dict[str, Any]:
    """Return texts as octets (told as Latin-1) with what designates their second set (PS3.5 K)."""
    vr, values = attribute.get("vr"), attribute.get("Value")
    if not values:
        return attribute
    if vr == "SQ":
        values = [{tag: _escaped(one, escape, codec) for tag, one in i.items()} for i in values]
    elif vr == "PN":
        values = [{name: _runs(t, escape, codec) for name, t in (v or {}).items()} for v in values]
    elif vr in _TEXTS:
        values = [_runs(text, escape, codec) if text else text for text in values]
    return {"vr": vr, "Value": values}


def _runs(text: str, escape: bytes, codec: str) -> str:
    # The designation ends with each component and each line (PS3.5 6.1.2.5.3).
    return "".join(
        run if run.isascii() else (escape + run.encode(codec)).decode("latin-1")
        for run in re.split(r"([\^\r\n\t\f])", text)
    )


@lru_cache(maxsize=4096)
def _has(codec: str, character: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _texts(attributes: Iterable[dict[str, Any]]) -> Iterator[str]:
    for attribute in attributes:
        vr = attribute.get("vr")
        for value in attribute.get("Value", ()):
            if vr == "SQ":
                yield from _texts(value.values())
            elif vr == "PN" and value:
                yield from map(str, value.values())
            elif vr in _TEXTS and value:
                yield str(value)


def _vr(tag: int) -> str:
    try:
        # An attribute with a choice of VRs is empty here: any of them will do.
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return "UN"


def _first(found: Mapping[str, dict[str, Any]], tag: str) -> str:
    values = found.get(tag, {}).get("Value") or [""]
    return str(values[0])
