"""A performed procedure step: its status, its attributes and the instances it lists.

Attributes are DICOM JSON members by 8-digit tag (PS3.18 F). What the Performed Series Sequence
lists is kept beside them, as identifiers only. Used by commands, the view and the DIMSE adapter.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

Attributes: TypeAlias = dict[str, Any]
"""DICOM JSON members by tag: `{"00080060": {"vr": "CS", "Value": ["CT"]}}`."""


class Status(StrEnum):
    """Performed Procedure Step Status (0040,0252)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


class Listed(msgspec.Struct, frozen=True, array_like=True):
    """Instances of one SOP class, one after the other."""

    sop_class: str
    sop_uids: tuple[str, ...]


class PerformedSeries(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What an item of the Performed Series Sequence lists."""

    series_uid: str
    images: tuple[Listed, ...] = ()
    """Referenced Image Sequence."""
    others: tuple[Listed, ...] = ()
    """Referenced Non-Image Composite SOP Instance Sequence."""

    def sop_uids(self) -> tuple[str, ...]:
        """Return the instances, images first."""
        return tuple(uid for part in (*self.images, *self.others) for uid in part.sop_uids)
