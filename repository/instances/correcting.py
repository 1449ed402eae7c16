"""A stored instance with a corrected header: only the header is written anew, pixel data follow.

Implements PS3.3 C.12.1.1.9 (Original Attributes Sequence), PS3.5 7 (elements) and 6.1 (character
sets). Called by everything that hands out instances; stored octets never change (decision 0024).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Changes: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""DICOM JSON members (PS3.18 F) by tag in eight hexadecimal digits, top level only.

`{"00100020": {"vr": "LO", "Value": ["P2"]}}`; without `Value` the attribute is emptied.
`04000561` (SQ) holds one item that tells of the corrections: when (04000562, DT), by what system
(04000563, LO), why (04000565, CS: CORRECT or COERCE), source of the previous values (04000564,
LO); it is completed with the previous values (04000550) of this instance. Specific Character Set,
File Meta Information and pixel data are never changed.
"""
