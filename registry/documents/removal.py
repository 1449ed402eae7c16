"""Decide a removal of metadata: all that is named goes, or it is refused and nothing does.

Implements ITI TF-2 3.62.4.1.3 (Remove Metadata): no association may be left without an end, and
no object without an association. Called by `workflows/remove_metadata.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kernel.identifiers import urn
from kernel.ledger.ports import Append, StreamAppend
from kernel.times import dtm
from registry.documents.aggregate import Kind, RegistryObject
from registry.documents.events import DocumentUnrelated, FolderUpdated, MetadataRemoved
from registry.documents.refusals import LeftUnreferenced, ReferenceUnresolved, StillReferenced
from registry.documents.values import Association


@dataclass(frozen=True, slots=True)
class Present:
    """What the registry holds around the objects that are to be removed."""

    objects: Mapping[UUID, RegistryObject]
    """The named objects, and the ends of the named associations, as their streams made them."""
    streams: Mapping[UUID, UUID] = field(default_factory=dict)
    """entryUUID -> stream, where it is not the entryUUID itself (SubmissionSets)."""
    associations: Mapping[UUID, Association] = field(default_factory=dict)
    """Every association, Deprecated ones too, that starts or ends at one of these objects."""


def remove(named: Iterable[UUID], present: Present, moment: datetime) -> Append:
    """Return the append that removes the named objects; raises the refusals of this room."""
    going = tuple(dict.fromkeys(named))
    for uuid in going:
        held = present.objects.get(uuid)
        if held is None or held.kind in {Kind.NOTHING, Kind.REMOVED}:
            raise ReferenceUnresolved(f"{urn(uuid)} is not in the registry", object=urn(uuid))
    staying = [a for uuid, a in present.associations.items() if uuid not in set(going)]
    _check_no_loose_ends(going, staying)
    _check_all_belong(going, staying, present)
    return Append((*_removed(going, present), *_left(going, present, dtm(moment))))


def _check_no_loose_ends(going: Iterable[UUID], staying: Iterable[Association]) -> None:
    ends = {end: a for a in staying for end in (a.source, a.target)}
    for uuid in going:
        if uuid in ends:
            raise StillReferenced(
                f"{urn(uuid)} is still referenced by the association "
                f"{urn(ends[uuid].entry_uuid)}, which is not to be removed",
                object=urn(uuid),
            )


def _check_all_belong(
    going: Iterable[UUID], staying: Iterable[Association], present: Present
) -> None:
    linked = {end for a in staying for end in (a.source, a.target)}
    for uuid in _other_ends(going, present):
        if uuid not in linked:
            raise LeftUnreferenced(
                f"{urn(uuid)} would be left without any association", object=urn(uuid)
            )


def _other_ends(going: Iterable[UUID], present: Present) -> Iterable[UUID]:
    """Return the objects that stay and lose an association."""
    gone = set(going)
    ends = {
        end: None
        for uuid in going
        if uuid in present.associations
        for end in (present.associations[uuid].source, present.associations[uuid].target)
    }
    return [
        end
        for end in ends
        if end not in gone
        and end in present.objects
        and present.objects[end].kind not in {Kind.NOTHING, Kind.REMOVED}
    ]


def _removed(going: Iterable[UUID], present: Present) -> Iterable[StreamAppend]:
    for uuid in going:
        held = present.objects[uuid]
        fact = MetadataRemoved(entry_uuid=uuid, patient_key=held.patient_key)
        # What was decided stands on what this stream held: it must not have moved.
        yield StreamAppend(present.streams.get(uuid, uuid), (fact,), held.version)


def _left(going: Iterable[UUID], present: Present, time: str) -> Iterable[StreamAppend]:
    """Tell the documents and folders that stay which of their associations are gone."""
    gone = [present.associations[uuid] for uuid in going if uuid in present.associations]
    for uuid in _other_ends(going, present):
        held = present.objects[uuid]
        if held.kind is Kind.DOCUMENT:
            pointing = {a.entry_uuid for a in held.inbound}
            facts = tuple(
                DocumentUnrelated(entry_uuid=uuid, association=a.entry_uuid)
                for a in gone
                if a.entry_uuid in pointing
            )
            if facts:
                yield StreamAppend(uuid, facts, held.version)
        elif held.kind is Kind.FOLDER and any(a.source == uuid for a in gone):
            yield StreamAppend(uuid, (FolderUpdated(entry_uuid=uuid, last_update_time=time),))
