"""Attribute lists of performed procedure steps: from the wire to DICOM JSON, and back.

PS3.4 F.7.2 (attributes), PS3.18 F (DICOM JSON), PS3.5 6.1 (character sets). Pure; used by
`n_create.py`, `n_set.py` and `n_get.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec
from pydicom.dataset import Dataset

from adapters.dimse.contexts import Context
from adapters.dimse.normalised import walk, write
from registry.procedure_steps.values import Attributes
from repository.instances import charsets
from repository.instances.dicom_json import dataset_json

_CHARACTER_SET: Final = 0x00080005
_MEMBER: Final = f"{_CHARACTER_SET:08X}"
_CHINESE: Final = frozenset({"GB18030", "GBK"})
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
    dataset = Dataset.from_json(chosen)
    if not msgspec.json.encode(chosen).isascii():
        first = character_set.split("\\", maxsplit=1)[0].strip().upper()
        dataset.SpecificCharacterSet = first if first in _CHINESE else "ISO_IR 192"
    return write(dataset, transfer_syntax)


def _unicode(told: Attributes) -> Attributes:
    """Return attributes and items without their character sets, which hold no more."""
    return {
        tag: {**member, "Value": [_unicode(item) for item in member["Value"]]}
        if member.get("vr") == "SQ" and "Value" in member
        else member
        for tag, member in told.items()
        if tag != _MEMBER
    }
