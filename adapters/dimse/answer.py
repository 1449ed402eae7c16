"""From DICOM JSON of the study index to the identifiers of C-FIND responses.

PS3.4 C.4.1.1.3.2 (what a response identifier holds), PS3.18 F (DICOM JSON), PS3.5 6.1 (character
sets). Pure; called by `c_find.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from adapters.dimse.contexts import IMPLICIT_LITTLE
from adapters.dimse.query import Identifier, Level
from projections.study_index.attributes import MARK

_UTF_8: Final = "ISO_IR 192"
_CHINESE: Final = frozenset({"GB18030", "GBK"})
_PATIENT_RELATED: Final = (0x00201200, 0x00201202, 0x00201204)
"""Number of Patient Related Studies, Series, Instances."""
_SERIES_IN_STUDY: Final = "00201206"
_INSTANCES_IN_STUDY: Final = "00201208"
_decode: Final = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


def members(item: bytes) -> dict[str, dict[str, Any]]:
    """Return the members of a stored JSON object, without the places of URLs."""
    return _decode(item.replace(MARK, b""))


def patients(items: Iterable[bytes]) -> list[dict[str, dict[str, Any]]]:
    """Return one answer for each patient among studies, with what is related to him."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    counts: dict[tuple[str, str], list[int]] = {}
    for item in items:
        study = members(item)
        key = (_first(study, "00100020"), _first(study, "00100021"))
        found.setdefault(key, study)
        have = counts.setdefault(key, [0, 0, 0])
        have[0] += 1
        have[1] += int(_first(study, _SERIES_IN_STUDY) or 0)
        have[2] += int(_first(study, _INSTANCES_IN_STUDY) or 0)
    for key, study in found.items():
        for tag, count in zip(_PATIENT_RELATED, counts[key], strict=True):
            study[f"{tag:08X}"] = {"vr": "IS", "Value": [count]}
    return list(found.values())


def encode_answer(
    identifier: Identifier,
    found: Mapping[str, dict[str, Any]],
    transfer_syntax: str,
    *,
    ae_title: str,
) -> bytes:
    """Return the response identifier: each key that was asked for, empty where we have nothing."""
    answer = Dataset()
    wanted = {f"{tag:08X}": found[f"{tag:08X}"] for tag in identifier.keys if f"{tag:08X}" in found}
    with warnings.catch_warnings():
        # Values are told as they were stored, also those that break the rules of their VR.
        warnings.simplefilter("ignore")
        answer.update(Dataset.from_json(wanted))
        for tag in identifier.keys:
            if tag not in answer:
                answer.add(DataElement(tag, _vr(tag), None))
        answer.SpecificCharacterSet = _character_set(identifier)
        answer.QueryRetrieveLevel = str(identifier.level)
        answer.RetrieveAETitle = ae_title
        if identifier.level is not Level.PATIENT:
            answer.InstanceAvailability = "ONLINE"
        out = DicomBytesIO()
        out.is_little_endian = True
        out.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
        write_dataset(out, answer)
    return out.getvalue()


def _character_set(identifier: Identifier) -> str:
    asked = identifier.character_set.split("\\")[0].strip().upper()
    return asked if asked in _CHINESE else _UTF_8


def _vr(tag: int) -> str:
    try:
        # An attribute with a choice of VRs is empty here: any of them will do.
        return dictionary_VR(tag).split(" or ")[0]
    except KeyError:
        return "UN"


def _first(found: Mapping[str, dict[str, Any]], tag: str) -> str:
    values = found.get(tag, {}).get("Value") or [""]
    return str(values[0])
