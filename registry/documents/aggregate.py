"""A registry object as its stream made it, and the rules for what may point at it.

Implements ITI TF-3 4.2.2 (association types) and TF-2 3.42.4.1.3.3 (replacement, folders).
Used by `commands.py` only; `apply` only assigns, the rules run when a submission is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from kernel.events import Fact, Recorded
from kernel.identifiers import urn
from kernel.ledger.ports import StreamAppend
from registry.documents.events import (
    AssociationApproved,
    AssociationAsserted,
    AssociationDeprecated,
    DocumentApproved,
    DocumentDeprecated,
    DocumentRegistered,
    DocumentRelated,
    DocumentRevised,
    DocumentUnrelated,
    FolderApproved,
    FolderCreated,
    FolderDeprecated,
    FolderRevised,
    FolderUpdated,
    MetadataRemoved,
    SubmissionAccepted,
)
from registry.documents.refusals import (
    MetadataInvalid,
    PatientIdMismatch,
    ReferenceUnresolved,
    TargetDeprecated,
)
from registry.documents.values import (
    ON_DEMAND,
    Association,
    AssociationType,
    Folder,
    Status,
    Submission,
)

_REPLACING: Final = frozenset({AssociationType.RPLC, AssociationType.XFRM_RPLC})
_DEPENDENT: Final = frozenset({AssociationType.APND, AssociationType.XFRM})
_SIGNATURE_FORMATS: Final = "urn:ihe:iti:dsg:"


class Kind(StrEnum):
    """What a stream, or an object of a submission, turned out to be."""

    NOTHING = "nothing"
    DOCUMENT = "document"
    FOLDER = "folder"
    ASSOCIATION = "association"
    SUBMISSION_SET = "submission set"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class RegistryObject:
    """A registry object as its events made it."""

    entry_uuid: UUID
    kind: Kind = Kind.NOTHING
    version: int = 0
    """Version of the stream, for the expected version of the next append."""
    status: Status = Status.APPROVED
    patient_key: UUID | None = None
    inbound: tuple[Association, ...] = ()
    """Of a document: the relationships and folder memberships that point at it."""
    on_demand: bool = False
    """Of a document: made when it is asked for."""
    registered: DocumentRegistered | FolderCreated | None = None
    """Of a document or folder: what was registered."""
    association: Association | None = None
    """Of an association: what was asserted."""
    revisions: tuple[UUID, ...] = ()
    """Of a first version: entryUUIDs of the later ones, in order, removed ones too."""

    @property
    def logical_id(self) -> UUID:
        """Return the entryUUID of the first version, in whose stream the later ones are told."""
        match self.registered:
            case DocumentRegistered(logical_id=found):
                return found
            case FolderCreated(folder=Folder(logical_id=UUID() as found)):
                return found
        return self.entry_uuid

    @property
    def version_name(self) -> int:
        """Return the number of this version of the object."""
        match self.registered:
            case DocumentRegistered(version=found) | FolderCreated(folder=Folder(version=found)):
                return found
        return 1

    def apply(self, event: Recorded) -> RegistryObject:
        """Return the state after one more event of the stream."""
        changes = _became(event.fact)
        match event.fact:
            case DocumentRelated(association=association):
                changes = {"inbound": (*self.inbound, association)}
            case DocumentUnrelated(association=gone):
                changes = {"inbound": tuple(a for a in self.inbound if a.entry_uuid != gone)}
            case DocumentRevised(entry_uuid=later) | FolderRevised(entry_uuid=later):
                changes = {"revisions": (*self.revisions, later)}
            case DocumentDeprecated() | FolderDeprecated() | AssociationDeprecated():
                changes = {"status": Status.DEPRECATED}
            case DocumentApproved() | FolderApproved() | AssociationApproved():
                changes = {"status": Status.APPROVED}
            case MetadataRemoved():
                changes = {"kind": Kind.REMOVED, "inbound": ()}
        return replace(self, version=event.version, **changes)


def _became(fact: Fact) -> dict[str, Any]:
    """Return what a stream's first fact makes of it."""
    match fact:
        case DocumentRegistered(patient_key=key, hash=octets):
            # Only an on-demand document has no hash (ITI TF-3 4.2.3.2.10), for ever readable.
            kind = {"kind": Kind.DOCUMENT, "on_demand": not octets}
            return {**kind, "patient_key": key, "registered": fact}
        case FolderCreated(patient_key=key):
            return {"kind": Kind.FOLDER, "patient_key": key, "registered": fact}
        case SubmissionAccepted(patient_key=key):
            return {"kind": Kind.SUBMISSION_SET, "patient_key": key}
        case AssociationAsserted(patient_key=key, association=asserted):
            return {"kind": Kind.ASSOCIATION, "patient_key": key, "association": asserted}
    return {}


@dataclass(slots=True)
class Resolution:
    """What a submission's associations bring about."""

    known: Mapping[UUID, RegistryObject]
    associations: list[Association] = field(default_factory=list)
    pointing: dict[UUID, list[Association]] = field(default_factory=dict)
    """Document -> the relationships and memberships that now point at it."""
    deprecated: dict[UUID, UUID] = field(default_factory=dict)
    """Document -> the association that deprecates it."""
    folders: set[UUID] = field(default_factory=set)
    """Registered folders whose content changes."""

    def related(self, entry_uuid: UUID) -> tuple[Fact, ...]:
        """Return the facts that a new document's stream gets besides its registration."""
        return tuple(
            DocumentRelated(entry_uuid=entry_uuid, association=a)
            for a in self.pointing.get(entry_uuid, ())
        )

    def changes(self, last_update_time: str) -> Iterable[StreamAppend]:
        """Yield what happens to documents and folders that were there before."""
        touched = [u for u in (*self.pointing, *self.deprecated) if u in self.known]
        for uuid in dict.fromkeys(touched):
            facts = list(self.related(uuid))
            if uuid in self.deprecated:
                facts.append(
                    DocumentDeprecated(entry_uuid=uuid, by_association=self.deprecated[uuid])
                )
            # The decision stands on what this stream held: it must not have moved.
            yield StreamAppend(uuid, tuple(facts), self.known[uuid].version)
        for uuid in self.folders:
            fact = FolderUpdated(entry_uuid=uuid, last_update_time=last_update_time)
            # A new version that a folder got meanwhile would not hold what is added to this one.
            yield StreamAppend(uuid, (fact,), self.known[uuid].version)


class Resolver:
    """Applies the rules of each association type to one submission."""

    def __init__(
        self, submission: Submission, known: Mapping[UUID, RegistryObject], patient_key: UUID
    ) -> None:
        self._submission = submission
        self._patient_key = patient_key
        self._set = submission.submission_set.entry_uuid
        self._entries = {e.entry_uuid: e for e in submission.entries}
        self._folders = {f.entry_uuid for f in submission.folders}
        self._associations = {a.entry_uuid for a in submission.associations}
        absent = {Kind.NOTHING, Kind.REMOVED}
        self._known = {u: o for u, o in known.items() if o.kind not in absent}
        self._result = Resolution(self._known)

    def resolve(self) -> Resolution:
        """Return what follows from the associations; raises the refusals of this room."""
        for association in self._submission.associations:
            self._one(association)
        self._check_linked()
        self._propagate_to_folders()
        return self._result

    def _one(self, association: Association) -> None:
        if association.source == association.target:
            raise _refusal(association, "sourceObject", "points at itself")
        relationship = association.type in _REPLACING | _DEPENDENT
        if association.documentation is not None and not relationship:
            raise _refusal(association, "associationDocumentation", "belongs on relationships only")
        source, target = self._kind(association.source), self._kind(association.target)
        if association.type is AssociationType.HAS_MEMBER:
            if source is Kind.SUBMISSION_SET:
                self._submission_set_member(association, target)
            elif source is Kind.FOLDER and target is Kind.DOCUMENT:
                self._folder_member(association)
            else:
                raise _refusal(association, "HasMember", f"links no {source} to a {target}")
        elif relationship:
            self._relationship(association, target)
        elif association.type is AssociationType.SIGNS:
            self._signature(association, target)
        else:
            self._snapshot(association)
        settled = msgspec.structs.replace(association, availability_status=Status.APPROVED)
        self._result.associations.append(settled)

    def _kind(self, uuid: UUID) -> Kind:
        if uuid == self._set:
            return Kind.SUBMISSION_SET
        if uuid in self._entries:
            return Kind.DOCUMENT
        if uuid in self._folders:
            return Kind.FOLDER
        if uuid in self._associations:
            return Kind.ASSOCIATION
        if uuid in self._known:
            return self._known[uuid].kind
        raise ReferenceUnresolved(
            f"{urn(uuid)} is neither in the submission nor in the registry", object=urn(uuid)
        )

    def _submission_set_member(self, association: Association, target: Kind) -> None:
        if target is Kind.SUBMISSION_SET:
            raise _refusal(association, "HasMember", "links a submission set to itself")
        if target is not Kind.DOCUMENT:
            return
        expected = "Original" if association.target in self._entries else "Reference"
        if association.submission_set_status != expected:
            raise _refusal(association, "SubmissionSetStatus", f"must be {expected}")

    def _folder_member(self, association: Association) -> None:
        self._same_patient(association.source)
        self._same_patient(association.target)
        self._not_deprecated(association.source)
        self._not_deprecated(association.target)
        self._point(association)
        if association.source in self._known:
            self._result.folders.add(association.source)

    def _relationship(self, association: Association, target: Kind) -> None:
        if association.source not in self._entries:
            raise _refusal(association, "sourceObject", "is no document of this submission")
        if target is not Kind.DOCUMENT:
            raise _refusal(association, "targetObject", "is no document")
        if association.type in _REPLACING and association.target in self._entries:
            raise _refusal(association, "targetObject", "is replaced by its own submission")
        self._same_patient(association.target)
        self._not_deprecated(association.target)
        if association.type in _REPLACING:
            self._deprecate(association.target, association.entry_uuid)
        self._point(association)

    def _signature(self, association: Association, target: Kind) -> None:
        source = self._entries.get(association.source)
        if source is None:
            raise _refusal(association, "sourceObject", "is no document of this submission")
        if source.format_code is None or not source.format_code.value.startswith(
            _SIGNATURE_FORMATS
        ):
            raise _refusal(association, "sourceObject", "is no signature document")
        if target is Kind.DOCUMENT:
            self._same_patient(association.target)
            self._not_deprecated(association.target)
            self._point(association)

    def _snapshot(self, association: Association) -> None:
        """Let a stable document of this submission be a snapshot of a registered on-demand one."""
        source, target = self._entries.get(association.source), self._known.get(association.target)
        if source is None or source.object_type == ON_DEMAND:
            raise _refusal(association, "sourceObject", "is no stable document of this submission")
        if target is None or not target.on_demand:
            raise _refusal(association, "targetObject", "is no registered on-demand document")
        self._same_patient(association.target)
        self._not_deprecated(association.target)
        self._point(association)

    def _same_patient(self, uuid: UUID) -> None:
        held = self._known.get(uuid)
        if held is not None and held.patient_key != self._patient_key:
            raise PatientIdMismatch(
                "an association points at an object of another patient", object=urn(uuid)
            )

    def _not_deprecated(self, uuid: UUID) -> None:
        held = self._known.get(uuid)
        deprecated = held is not None and held.status is Status.DEPRECATED
        if deprecated or uuid in self._result.deprecated:
            raise TargetDeprecated(f"the object {urn(uuid)} is deprecated", object=urn(uuid))

    def _point(self, association: Association) -> None:
        self._result.pointing.setdefault(association.target, []).append(association)

    def _deprecate(self, uuid: UUID, by: UUID) -> None:
        """Deprecate a document with, recursively, its additions and transforms."""
        held = self._known.get(uuid)
        done = self._result.deprecated
        if held is None or uuid in done or held.status is Status.DEPRECATED:
            return
        done[uuid] = by
        for association in held.inbound:
            if association.type in _DEPENDENT:
                self._deprecate(association.source, by)

    def _check_linked(self) -> None:
        """Each new document and folder belongs to the submission set, once."""
        members = [
            a.target
            for a in self._submission.associations
            if a.type is AssociationType.HAS_MEMBER and a.source == self._set
        ]
        for uuid in (*self._entries, *self._folders):
            if members.count(uuid) != 1:
                raise MetadataInvalid(
                    f"{urn(uuid)} needs exactly one HasMember from the submission set",
                    attribute="HasMember",
                    object=urn(uuid),
                )

    def _propagate_to_folders(self) -> None:
        """Put a replacement into every folder that holds what it replaces."""
        taken = {
            (a.source, a.target)
            for a in self._submission.associations
            if a.type is AssociationType.HAS_MEMBER
        }
        for association in self._submission.associations:
            if association.type not in _REPLACING:
                continue
            for held in self._known[association.target].inbound:
                edge = (held.source, association.source)
                folder = self._known.get(held.source)
                # An older version of a folder, and one that was given up, stay as they are.
                stands = folder is not None and folder.status is Status.APPROVED
                if held.type is AssociationType.HAS_MEMBER and stands and edge not in taken:
                    taken.add(edge)
                    self._add_to_folder(held.source, association.source)

    def _add_to_folder(self, folder: UUID, entry: UUID) -> None:
        membership = Association(
            entry_uuid=uuid4(), type=AssociationType.HAS_MEMBER, source=folder, target=entry
        )
        listed = Association(
            entry_uuid=uuid4(),
            type=AssociationType.HAS_MEMBER,
            source=self._set,
            target=membership.entry_uuid,
        )
        self._result.associations += (membership, listed)
        self._result.folders.add(folder)
        self._point(membership)


def _refusal(association: Association, attribute: str, why: str) -> MetadataInvalid:
    return MetadataInvalid(
        f"Association {urn(association.entry_uuid)}: {attribute} {why}",
        attribute=attribute,
        object=urn(association.entry_uuid),
    )
