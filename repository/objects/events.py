"""What happened to stored objects other than DICOM instances (those: registry.studies.events).

Facts of ITI TF-2 3.41 (repository stores the octets) and 3.86 (removes documents). Streams:
`stream_id("object", sha256)`; of a document `stream_id("document", repository, uniqueId)`.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.events import Fact


class ObjectStored(Fact, frozen=True, kw_only=True):
    """Octets were stored durably in a tier under their SHA-256."""

    TOPIC: ClassVar[str] = "object.stored:v1"
    sha256: str
    sha1: str
    size: int
    tier: str


class ObjectErased(Fact, frozen=True, kw_only=True):
    """The octets of an object that nothing used any more were erased from a tier."""

    TOPIC: ClassVar[str] = "object.erased:v1"
    sha256: str
    tier: str


class DocumentRemoved(Fact, frozen=True, kw_only=True):
    """A document of our repository was removed: from now on nobody can retrieve it."""

    TOPIC: ClassVar[str] = "document.removed:v1"
    repository_unique_id: str
    unique_id: str
    sha256: str
    """Key of the octets, which are erased later if nothing else uses them."""
    patient_key: UUID
