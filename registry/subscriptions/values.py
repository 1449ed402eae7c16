"""What a subscription asks for: a topic and criteria on the objects that get registered.

Implements ITI TF-2 3.52.5.1 (topics) and 3.52.5.2 (filter expressions) of DSUB and its extensions.
Made by adapters/xds, judged by `matching.py`, kept in the events of this room.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from kernel.codes import Code
from registry.documents.values import STABLE, DocumentEntry, Folder, SubmissionSet

DocumentLike = DocumentEntry | SubmissionSet | Folder
"""What somebody may be notified of."""


class Kind(StrEnum):
    """What kind of object a subscription is about."""

    DOCUMENT = "document"
    SUBMISSION_SET = "submission-set"
    FOLDER = "folder"


class Topic(StrEnum):
    """Topic expressions, without their `ihe:` prefix (ITI TF-2 3.52.5.1)."""

    FULL_DOCUMENT_ENTRY = "FullDocumentEntry"
    MINIMAL_DOCUMENT_ENTRY = "MinimalDocumentEntry"
    SUBMISSION_SET_METADATA = "SubmissionSetMetadata"
    FOLDER_METADATA = "FolderMetadata"


TOPICS: Final = {
    Kind.DOCUMENT: frozenset({Topic.FULL_DOCUMENT_ENTRY, Topic.MINIMAL_DOCUMENT_ENTRY}),
    Kind.SUBMISSION_SET: frozenset({Topic.SUBMISSION_SET_METADATA}),
    Kind.FOLDER: frozenset({Topic.FOLDER_METADATA}),
}
"""Which topics go with which filter (table 3.52.5.3-1)."""

CodeGroups = tuple[tuple[Code, ...], ...]
"""AND of ORs."""


class Span(msgspec.Struct, frozen=True, array_like=True):
    """From (inclusive) to (exclusive), as DTM texts; empty means open."""

    start: str = ""
    stop: str = ""


class Criteria(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Conditions an object must meet; an empty member asks nothing.

    Values of one member are OR; groups are AND (ITI TF-2 3.18.4.1.2.3.6).
    """

    kind: Kind
    patient_id: str = ""
    """CX `id^^^&OID&ISO`; empty for a patient-independent subscription."""
    object_types: tuple[str, ...] = (STABLE,)
    class_codes: tuple[Code, ...] = ()
    type_codes: tuple[Code, ...] = ()
    format_codes: tuple[Code, ...] = ()
    facility_codes: tuple[Code, ...] = ()
    practice_codes: tuple[Code, ...] = ()
    event_codes: CodeGroups = ()
    confidentiality_codes: CodeGroups = ()
    reference_ids: tuple[tuple[str, ...], ...] = ()
    authors: tuple[str, ...] = ()
    """LIKE patterns on authorPerson, of documents and of submission sets."""
    creation: Span = Span()
    service_start: Span = Span()
    service_stop: Span = Span()
    source_ids: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    """LIKE patterns on intendedRecipient."""
    content_type_codes: tuple[Code, ...] = ()
    submission: Span = Span()
    unique_ids: tuple[str, ...] = ()
    """Of folders."""
    folder_codes: CodeGroups = ()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as it is asked for."""

    topic: Topic
    consumer: str
    """Where notifications are sent: an http or https URL."""
    criteria: Criteria
    termination: str = ""
    """InitialTerminationTime: xsd:dateTime, xsd:duration, or empty."""


class Subscriber(msgspec.Struct, frozen=True, kw_only=True):
    """Who subscribed, by the names of the guard: his rights are looked up at each sending."""

    name: str
    kind: str


class Published(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Objects of one patient that a foreign registry tells of (ITI TF-2 3.54)."""

    entries: tuple[DocumentEntry, ...] = ()
    submission_sets: tuple[SubmissionSet, ...] = ()
    folders: tuple[Folder, ...] = ()

    def objects(self) -> tuple[DocumentLike, ...]:
        """Return the objects in the order in which notifications of them are numbered."""
        return (*self.entries, *self.submission_sets, *self.folders)


class NotificationId(msgspec.Struct, frozen=True, kw_only=True):
    """Names one notification: which subscription, which event, which object of the event."""

    subscription: UUID
    position: int
    """Position, in the ledger of facts, of the event that is told."""
    ordinal: int = 0
