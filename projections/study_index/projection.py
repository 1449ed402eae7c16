"""Turns stored instances, completions and manifests into rows of the study index.

Design A4, A5: DICOM JSON is made here, once. Run by `projections/runner.py`; headers are seen
only through the `HeaderSource` port, because events carry no more than identifiers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Fact, Recorded
from kernel.refusals import Invalid, NotFound, TooMuch
from kernel.times import micros
from projections.contract import ViewSpec
from projections.merged_patients import MergedPatients
from projections.moved_instances import MovedInstances
from projections.study_index.corrections import FEEDS, Corrections
from projections.study_index.moves import Moves
from projections.study_index.rejected import Rejections
from projections.study_index.rows import InstanceSeen
from projections.study_index.tables import Tables
from projections.study_index.work import Work
from registry.patients.events import (
    PatientAbsorbed,
    PatientDemographicsChanged,
    PatientIdentified,
    PatientShredded,
)
from registry.studies.events import (
    InstancesMoved,
    InstancesRejected,
    InstancesStored,
    ManifestPublished,
    ManifestWithdrawn,
    StudyCompleted,
    StudyCorrected,
    StudyReassigned,
)
from repository.instances.header import HeaderSource, InstanceHeader

NAME: Final = "study_index"
_ORDINALS: Final = 1 << 16


class StudyIndexProjection:
    """Writes the study index."""

    def __init__(self, tables: Tables, source: HeaderSource) -> None:
        self._tables = tables
        self._source = source
        self._merged = MergedPatients(tables.merges)
        self._moved = MovedInstances(tables.moves)
        self._rejections = Rejections(tables)
        self._corrections = Corrections(tables)
        self._moves = Moves(tables)

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows; all of a batch's instances are written with few statements."""
        work = Work(connection, self._tables)
        touched = {e.fact.study_uid for e in events if isinstance(e.fact, InstancesStored)}
        work.load(touched)
        self._moved.begin()
        for event, told in self._merged.following(connection, events):
            match told:
                case InstancesStored() as fact:
                    for part in self._moved.placed(connection, fact):
                        touched |= self._stored(work, part, fact, event)
                case InstancesRejected() as fact:
                    fact = self._moved.rejected(connection, fact)
                    touched |= self._rejections.note(connection, fact, event.position * _ORDINALS)
                case _ as fact:
                    self._other(work, fact, event)
        if events:
            self._flush(work, events[-1])
        if touched:
            self._rejections.settle(connection, touched, events[-1].position * _ORDINALS)

    def _other(self, work: Work, fact: Fact, event: Recorded) -> None:
        match fact:
            case StudyCompleted() | ManifestPublished() | ManifestWithdrawn():
                work.flush()
                _published(work, fact, event)
            case PatientAbsorbed() | PatientShredded():
                self._flush(work, event)
                self._patient(work, fact, event)
            case PatientIdentified() | PatientDemographicsChanged() if fact.origin in FEEDS:
                self._flush(work, event)
                changed = self._corrections.tell(work.connection, fact, event)
                self._settle(work, changed, event)
            case StudyCorrected() | StudyReassigned() | InstancesMoved():
                self._flush(work, event)
                self._correct(work, fact, event)
            case _:
                pass

    def _flush(self, work: Work, event: Recorded) -> None:
        """Write what was kept; studies that are new may be of a patient a feed told of."""
        work.flush()
        if work.unsettled:
            self._settle(work, work.unsettled, event)
            work.unsettled = set()

    def _settle(
        self, work: Work, study_uids: set[str], event: Recorded, *, pending: bool = False
    ) -> None:
        revision = event.position * _ORDINALS
        if self._corrections.settle(work.connection, study_uids, revision, pending=pending):
            work.reload(study_uids)

    def _patient(
        self, work: Work, fact: PatientAbsorbed | PatientShredded, event: Recorded
    ) -> None:
        connection = work.connection
        if isinstance(fact, PatientAbsorbed):
            work.move(str(fact.subsumed), str(fact.patient_key))
            self._moved.absorb(connection, fact)
            changed = self._corrections.absorb(connection, fact, event)
        else:
            changed = self._corrections.forget(connection, fact)
            _shred(work, str(fact.patient_key))
        self._rejections.follow(connection, fact)
        self._settle(work, changed, event)

    def _correct(
        self, work: Work, fact: StudyCorrected | StudyReassigned | InstancesMoved, event: Recorded
    ) -> None:
        connection, changed = work.connection, {fact.study_uid}
        match fact:
            case StudyCorrected():
                self._corrections.correct(connection, fact, event)
            case StudyReassigned():
                self._moved.reassign(connection, fact)
                self._corrections.reassign(connection, fact, event)
            case InstancesMoved():
                changed.add(fact.to_study_uid)
                self._moved.move(connection, fact)
                self._moved.copy(connection, fact.study_uid, fact.to_study_uid)
                self._moves.move(connection, fact, event)
                for uid in sorted(changed):
                    self._rejections.count(connection, uid, event.position * _ORDINALS)
        work.reload(changed)
        self._settle(work, changed, event, pending=True)

    def _stored(
        self, work: Work, fact: InstancesStored, told: InstancesStored, event: Recorded
    ) -> set[str]:
        """Add the instances of a fact; `told` is the fact as their headers have it."""
        at = micros(event.at)
        if fact is not told:
            work.expect(fact.study_uid)
            self._arrived(work, fact, told, at)
        place = dict(zip(told.sop_uids, range(len(told.sop_uids)), strict=True))
        homes = [(told.study_uid, told.series_uids[of]) for of in told.series]
        for index, sop_uid in enumerate(fact.sop_uids):
            seen = InstanceSeen(
                study_uid=fact.study_uid,
                series_uid=fact.series_uids[fact.series[index]],
                sop_uid=sop_uid,
                sop_class=fact.sop_classes[fact.sop_class[index]],
                transfer_syntax=fact.transfer_syntaxes[fact.transfer_syntax[index]],
                patient_key=str(fact.patient_key),
                size=fact.sizes[index],
                header=self._header(fact.sha256[index]),
                at=at,
                ordinal=event.position * _ORDINALS + place[sop_uid],
                home=homes[place[sop_uid]],
            )
            work.add(seen)
        return {fact.study_uid}

    def _arrived(self, work: Work, fact: InstancesStored, told: InstancesStored, at: int) -> None:
        """Remember which late instances followed a move."""
        homes = {
            uid: (told.study_uid, told.series_uids[of])
            for uid, of in zip(told.sop_uids, told.series, strict=True)
        }
        names = [
            uid
            for uid, of in zip(fact.sop_uids, fact.series, strict=True)
            if homes[uid] != (fact.study_uid, fact.series_uids[of])
        ]
        if names:
            connection, places = work.connection, [homes[uid] for uid in names]
            carried = {
                place: self._moves.carried(
                    connection, [study for study, _ in self._moved.way(connection, place)[:-1]]
                )
                for place in dict.fromkeys(places)
            }
            self._moves.arrived(connection, names, places, at, carried=carried)

    def _header(self, sha256: str) -> InstanceHeader | None:
        try:
            return self._source.header(sha256)
        except (Invalid, NotFound, TooMuch):
            # The octets are gone or cannot be read any more: what the event tells is still true.
            return None


def _published(
    work: Work, fact: StudyCompleted | ManifestPublished | ManifestWithdrawn, event: Recorded
) -> None:
    connection, tables = work.connection, work.tables
    studies = tables.studies
    match fact:
        case StudyCompleted():
            connection.execute(
                studies.update()
                .where(studies.c.study_uid == fact.study_uid)
                .values(complete_count=fact.instance_count, revision=event.position * _ORDINALS)
            )
            work.forget(fact.study_uid)
            work.load({fact.study_uid})
        case ManifestPublished():
            connection.execute(
                studies.update()
                .where(studies.c.study_uid == fact.study_uid)
                .values(
                    published_count=fact.instance_count,
                    pending=studies.c.held_count > fact.instance_count,
                    outdated=False,
                    manifest_uid=fact.unique_id,
                    manifest_entry=str(fact.entry_uuid),
                )
            )
            work.forget(fact.study_uid)
            work.load({fact.study_uid})
        case ManifestWithdrawn():
            connection.execute(
                studies.update()
                .where(studies.c.study_uid == fact.study_uid)
                .values(
                    published_count=fact.instance_count,
                    pending=studies.c.held_count > fact.instance_count,
                    outdated=False,
                    manifest_uid="",
                    manifest_entry="",
                )
            )
            work.forget(fact.study_uid)
            work.load({fact.study_uid})


def _shred(work: Work, key: str) -> None:
    """Drop the rows of a patient who is no more."""
    connection, tables, studies = work.connection, work.tables, work.tables.studies
    uids = list(
        connection.execute(
            sa.select(studies.c.study_uid).where(studies.c.patient_key == key)
        ).scalars()
    )
    for start in range(0, len(uids), 500):
        part = uids[start : start + 500]
        connection.execute(tables.chunks.delete().where(tables.chunks.c.study_uid.in_(part)))
    for table in (tables.instances, tables.series, studies):
        connection.execute(table.delete().where(table.c.patient_key == key))
    for uid in uids:
        work.forget(uid)


def spec(source: HeaderSource) -> ViewSpec:
    """Return the view, reading headers through `source`."""
    return ViewSpec(
        name=NAME,
        version=6,
        topics=(
            InstancesStored.TOPIC,
            InstancesRejected.TOPIC,
            StudyCompleted.TOPIC,
            ManifestPublished.TOPIC,
            ManifestWithdrawn.TOPIC,
            StudyCorrected.TOPIC,
            StudyReassigned.TOPIC,
            InstancesMoved.TOPIC,
            PatientIdentified.TOPIC,
            PatientDemographicsChanged.TOPIC,
            PatientAbsorbed.TOPIC,
            PatientShredded.TOPIC,
        ),
        make_tables=Tables,
        make_projection=lambda tables: StudyIndexProjection(tables, source),
    )
