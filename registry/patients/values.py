"""A patient as the identity feed or an image header describes him.

Implements the PID fields of ITI TF-2 3.8 (ITI-8) and the DICOM patient module (PS3.3 C.7.1.1).
"""

from __future__ import annotations

import msgspec


class Demographics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who the patient is; every member may be empty."""

    name: str = ""
    """DICOM PN text, component groups alphabetic=ideographic=phonetic (PS3.5 6.2.1)."""
    birth_date: str = ""
    """YYYYMMDD or shorter."""
    sex: str = ""
    """M, F, O or empty (PS3.3 C.7.1.1)."""
    address: str = ""
    telephone: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one message says: None = not said, empty = to be removed (HL7 2.5 2.5.3)."""

    name: str | None = None
    birth_date: str | None = None
    sex: str | None = None
    address: str | None = None
    telephone: str | None = None
