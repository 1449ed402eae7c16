"""The registry as it would be while an update is decided, and the facts that make it so.

Implements the propagation of associations of ITI TF-2 3.57.4.1.3.3 and the versions of 3.57.
Used by `update.py` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import msgspec

from kernel.events import Fact
from kernel.identifiers import urn
from kernel.ledger.ports import StreamAppend
from registry.documents.aggregate import Kind, RegistryObject
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
)
from registry.documents.refusals import PatientNotReconciled
from registry.documents.values import Association, AssociationType, Status

VERSIONED: Final = frozenset({Kind.DOCUMENT, Kind.FOLDER})
_GONE: Final = frozenset({Kind.NOTHING, Kind.REMOVED})
_STATUS: Final = {
    (Kind.DOCUMENT, Status.APPROVED): DocumentApproved,
    (Kind.DOCUMENT, Status.DEPRECATED): DocumentDeprecated,
    (Kind.FOLDER, Status.APPROVED): FolderApproved,
    (Kind.FOLDER, Status.DEPRECATED): FolderDeprecated,
    (Kind.ASSOCIATION, Status.APPROVED): AssociationApproved,
    (Kind.ASSOCIATION, Status.DEPRECATED): AssociationDeprecated,
}


@dataclass(frozen=True, slots=True)
class _Successor:
    entry_uuid: UUID
    propagate: bool


class Draft:
    """Collects facts by stream and answers as if they were recorded already."""

    def __init__(
        self, objects: Mapping[UUID, RegistryObject], patient_key: UUID, submission_set: UUID
    ) -> None:
        self._objects = objects
        self._patient_key = patient_key
        self._set = submission_set
        self._known = {u: o for u, o in objects.items() if o.kind not in _GONE}
        self._new: dict[UUID, Kind] = {}
        self._status: dict[UUID, Status] = {}
        self._successors: dict[UUID, _Successor] = {}
        self._asserted: dict[UUID, Association] = {}
        self._facts: dict[UUID, list[Fact]] = {}
        self._guarded: set[UUID] = set()

    def kind(self, uuid: UUID) -> Kind:
        """Return what an object is; `NOTHING` when it is not registered."""
        if uuid in self._new:
            return self._new[uuid]
        return self._known[uuid].kind if uuid in self._known else Kind.NOTHING

    def status(self, uuid: UUID) -> Status:
        """Return the availabilityStatus of an object that is there."""
        if uuid in self._status or uuid in self._new:
            return self._status.get(uuid, Status.APPROVED)
        return self._known[uuid].status

    def patient(self, uuid: UUID) -> UUID | None:
        """Return the patient of an object that is there."""
        return self._patient_key if uuid in self._new else self._known[uuid].patient_key

    def association(self, uuid: UUID) -> Association | None:
        """Return an association that is there."""
        held = self._known.get(uuid)
        return self._asserted.get(uuid) or (held.association if held else None)

    def is_current(self, uuid: UUID) -> bool:
        """Tell whether no newer version of this object exists."""
        if uuid in self._new:
            return True
        held = self.current(self._known[uuid].logical_id)
        return held is not None and held.entry_uuid == uuid and uuid not in self._successors

    def current(self, logical_id: UUID) -> RegistryObject | None:
        """Return the latest version that was not removed, None when there is no such object."""
        first = self._objects.get(logical_id)
        for uuid in reversed((logical_id, *(() if first is None else first.revisions))):
            held = self._known.get(uuid)
            if held is not None and held.kind in VERSIONED and held.logical_id == logical_id:
                return held
        return None

    def linked(self, source: UUID, target: UUID) -> bool:
        """Tell whether an Approved association leads from one object to the other."""
        return any((a.source, a.target) == (source, target) for a in self._approved())

    def revise(
        self, previous: RegistryObject, fact: DocumentRegistered | FolderCreated, *, propagate: bool
    ) -> None:
        """Put a new version in the place of one that is current."""
        document = isinstance(fact, DocumentRegistered)
        uuid, lid = fact.entry_uuid, previous.logical_id
        self._new[uuid] = Kind.DOCUMENT if document else Kind.FOLDER
        self._successors[previous.entry_uuid] = _Successor(uuid, propagate)
        self.record(uuid, fact)
        revised = DocumentRevised if document else FolderRevised
        version = previous.version_name + 1
        # Two updates of one object meet here: the stream must not have moved.
        self.record(lid, revised(logical_id=lid, version=version, entry_uuid=uuid), guarded=True)
        if previous.status is Status.APPROVED:
            self.set_status(previous.entry_uuid, Status.DEPRECATED)
        else:
            self.set_status(uuid, Status.DEPRECATED)

    def set_status(self, uuid: UUID, status: Status) -> None:
        """Change the availabilityStatus of an object."""
        if self.status(uuid) is status:
            return
        self.record(uuid, _STATUS[self.kind(uuid), status](entry_uuid=uuid), guarded=True)
        self._status[uuid] = status
        edge = self.association(uuid)
        if edge is not None:
            # What is replaced or updated later takes only what still points at it along.
            target = edge.target
            if status is Status.APPROVED:
                self.record(target, DocumentRelated(entry_uuid=target, association=edge))
            else:
                self.record(target, DocumentUnrelated(entry_uuid=target, association=uuid))

    def assert_association(self, association: Association, time: str) -> None:
        """Add an association, with what it means for its ends; `time` is now, as DTM."""
        uuid, source, target = association.entry_uuid, association.source, association.target
        self._new[uuid] = Kind.ASSOCIATION
        self._asserted[uuid] = association
        self.record(
            uuid, AssociationAsserted(patient_key=self._patient_key, association=association)
        )
        if source == self._set:
            return
        self.record(target, DocumentRelated(entry_uuid=target, association=association))
        if self.kind(source) is Kind.FOLDER:
            if source not in self._new:
                # A new version that the folder got meanwhile would lack what is added to this one.
                fact = FolderUpdated(entry_uuid=source, last_update_time=time)
                self.record(source, fact, guarded=True)
            listed = Association(
                entry_uuid=uuid4(), type=AssociationType.HAS_MEMBER, source=self._set, target=uuid
            )
            self.assert_association(listed, time)

    def propagate(self, time: str) -> None:
        """Make the associations of replaced versions for their successors too."""
        for association in list(self._approved()):
            ends = (association.source, association.target)
            kinds = {self.kind(end) for end in ends}
            if not kinds <= VERSIONED or not any(end in self._successors for end in ends):
                continue
            source, target = (self._carried(end) for end in ends)
            if source is None or target is None:
                continue
            if self.patient(source) != self.patient(target):
                raise PatientNotReconciled(
                    "the associations of the previous version lead to another patient's objects",
                    object=urn(source if source in self._new else target),
                )
            copied = msgspec.structs.replace(
                association, entry_uuid=uuid4(), source=source, target=target
            )
            self.assert_association(copied, time)

    def guard(self, uuid: UUID) -> None:
        """Let the decision stand only while this registered object is as it was."""
        self._guarded.add(uuid)

    def record(self, stream: UUID, *facts: Fact, guarded: bool = False) -> None:
        """Add facts to a stream."""
        self._facts.setdefault(stream, []).extend(facts)
        if guarded:
            self.guard(stream)

    def streams(self) -> Iterable[StreamAppend]:
        """Yield what is to be appended."""
        for stream, facts in self._facts.items():
            expected = None
            if stream in self._new:
                expected = 0
            elif stream in self._guarded:
                expected = self._objects[stream].version
            personal = self._new.get(stream) in VERSIONED
            patient_key = self._patient_key if personal else None
            yield StreamAppend(stream, tuple(facts), expected, patient_key)

    def _approved(self) -> Iterable[Association]:
        for uuid, held in self._known.items():
            if held.association is not None and self.status(uuid) is Status.APPROVED:
                yield held.association
        yield from (a for uuid, a in self._asserted.items() if self.status(uuid) is Status.APPROVED)

    def _carried(self, end: UUID) -> UUID | None:
        """Return the end that a propagated association gets, None when it shall not be made."""
        successor = self._successors.get(end)
        if successor is None:
            # What an older version was linked with is linked with its successor already.
            return end if self.is_current(end) else None
        return successor.entry_uuid if successor.propagate else None
