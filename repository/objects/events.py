"""What happened to stored objects other than DICOM instances (those: registry.studies.events).

Facts of ITI TF-2 3.41 (repository stores the octets). Stream: `stream_id("object", sha256)`.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.events import Fact


class ObjectStored(Fact, frozen=True, kw_only=True):
    """Octets were stored durably in a tier under their SHA-256."""

    TOPIC: ClassVar[str] = "object.stored:v1"
    sha256: str
    sha1: str
    size: int
    tier: str
