"""Correct a study, give it to another patient, split or merge studies, and take each back.

Requirements R-6.3.4. Stored octets never change: what is told otherwise are events, which views and
egress follow. Called by the portal's API and `pianku studies`; durable when it returns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID

import msgspec

from kernel.events import Recorded
from kernel.identifiers import PatientId, PatientKeys, new_uid
from kernel.ledger.ports import Append, Ledger, StreamAppend, StreamMoved
from projections.moved_instances import pairs
from projections.study_index.attributes import MARK
from projections.study_index.view import InstanceRow, StudyIndex, StudyRow
from registry.documents import commands as documents
from registry.patients import commands as patients
from registry.studies import commands
from registry.studies.corrections import NOTHING, Change, correction, patient_of
from registry.studies.events import (
    InstancesAdopted,
    InstancesMoved,
    StudyCorrected,
    StudyReassigned,
)
from registry.studies.refusals import (
    InstancesNotOfStudy,
    NothingChanges,
    PatientNotKnown,
    StudyNotKnown,
)
from registry.studies.values import Move, MovedSeries, Reassignment
from workflows.register_documents import RegisterDocuments

_LOOKED_AT: Final = 100
"""Series of which an instance is asked whether it says already what it is to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was done, or would be; names no patient but by key."""

    kind: str
    """corrected | reassigned | moved"""
    study_uid: str
    patient_keys: tuple[UUID, ...]
    """Whose the study is; after a reassignment whose it was, too."""
    tags: tuple[str, ...] = ()
    to_study_uid: str = ""
    series: tuple[MovedSeries, ...] = ()
    instance_count: int = 0
    position: int = 0
    """Of the last event in the ledger; 0: nothing was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One correction, reassignment or move of a study, as its stream tells it."""

    position: int
    at: datetime
    subject: str
    kind: str
    tags: tuple[str, ...] = ()
    from_study_uid: str = ""
    to_study_uid: str = ""
    instance_count: int = 0
    reason: str = ""
    reverts: int = 0
    reverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedMove:
    """Series and instances that are to leave a study; none named: all of it."""

    study_uid: str
    to_study_uid: str = ""
    """Empty: a new study."""
    series_uids: Sequence[str] = ()
    sop_uids: Sequence[str] = ()


Decision = tuple[Done, tuple[StreamAppend, ...]]


class CorrectStudies:
    """Corrects studies. Thread safe. Raises the refusals of `registry.studies`, StreamMoved."""

    def __init__(
        self,
        facts: Ledger,
        index: StudyIndex,
        register: RegisterDocuments,
        patient_keys: PatientKeys,
    ) -> None:
        self._facts = facts
        self._index = index
        self._register = register
        self._patient_keys = patient_keys

    def correct(
        self, study_uid: str, values: Mapping[str, str], *, reason: str, dry_run: bool = False
    ) -> Done:
        """Have attributes of a study, by keyword, told otherwise; an empty value empties."""
        change = correction(values)

        def decide() -> Decision:
            study, version = self._fold(study_uid)
            row = self._row(study_uid)
            if self._says(row, change):
                raise NothingChanges("the study says so already")
            stream = commands.correct(
                study, version, change, patient_key=row.patient_key, reason=reason
            )
            done = Done(
                kind="corrected",
                study_uid=study_uid,
                patient_keys=(row.patient_key,),
                tags=change.tags,
                instance_count=row.held_count,
            )
            return done, (stream,)

        return self._do(decide, dry_run=dry_run)

    def reassign(
        self, study_uid: str, patient_id: PatientId, *, reason: str, dry_run: bool = False
    ) -> Done:
        """Give a study to another known patient; its manifest is withdrawn and made anew."""
        key = self._patient_keys.key(patient_id)
        return self._do(lambda: self._reassign(study_uid, key, reason, 0), dry_run=dry_run)

    def move(self, asked: AskedMove, *, reason: str, dry_run: bool = False) -> Done:
        """Let series or instances belong to another study of the patient, or to a new one."""
        asked = replace(asked, to_study_uid=asked.to_study_uid or new_uid())
        return self._do(lambda: self._move(asked, reason), dry_run=dry_run)

    def revert(
        self, study_uid: str, position: int = 0, *, reason: str, dry_run: bool = False
    ) -> Done:
        """Take back the last correction, reassignment or move of a study, or the one at `position`.

        Raises NothingChanges when there is none, or it was taken back.
        """
        return self._do(lambda: self._revert(study_uid, position, reason), dry_run=dry_run)

    def history(self, study_uid: str) -> list[Act]:
        """Return what was ever done to a study; raises StudyNotKnown."""
        study, version = self._fold(study_uid)
        if not version:
            raise StudyNotKnown("no instance of the study is held")
        return [_act(one, study.reverted) for one in study.acts]

    def _do(self, decide: Callable[[], Decision], *, dry_run: bool) -> Done:
        done, streams = decide()
        if dry_run:
            return done
        try:
            position = self._facts.append(Append(streams))
        except StreamMoved:
            # An instance came, or somebody else corrected: decide once more on what now stands.
            done, streams = decide()
            position = self._facts.append(Append(streams))
        return replace(done, position=position)

    def _fold(self, study_uid: str) -> tuple[commands.Study, int]:
        stream = commands.study_stream(study_uid)
        return self._facts.fold(stream, commands.NOTHING, commands.fold)

    def _row(self, study_uid: str) -> StudyRow:
        # Read after the stream: what the index has more has moved the stream.
        row = self._index.study(study_uid, held=True)
        if row is None or not row.held_count:
            raise StudyNotKnown("no instance of the study is held")
        return row

    def _patient(self, key: UUID) -> patients.PatientState:
        return self._facts.fold(key, patients.NOT_KNOWN, patients.apply_patient)[0]

    def _says(self, row: StudyRow, change: Change) -> bool:
        """Tell whether the study says already what it is to say."""
        series = [one for one in self._index.series_of(row.study_uid) if one.first_sop_uid]
        for one in series[:_LOOKED_AT]:
            place = (row.study_uid, one.series_uid, one.first_sop_uid)
            json = self._index.instance_metadata(*place) or b"{}"
            told: dict[str, Any] = msgspec.json.decode(json.replace(MARK, b""))
            for tag, attribute in change.members.items():
                if told.get(tag, {}).get("Value") != attribute.get("Value"):
                    return False
        return bool(series) and not row.mixed

    def _reassign(self, study_uid: str, patient_key: UUID, reason: str, reverts: int) -> Decision:
        study, version = self._fold(study_uid)
        row = self._row(study_uid)
        survivors = self._register.survivors
        taker = survivors.key(patient_key)
        state = self._patient(taker)
        if not state.known or state.erased or not state.patient_id:
            raise PatientNotKnown("the patient is not known")
        named = study.stored_for
        change = NOTHING
        if named is None or survivors.key(named) != taker:
            whose = self._patient(named or row.patient_key).patient_id
            change = _identity(state, whose)
        asked = Reassignment(study_uid, row.patient_key, taker, change, reason, reverts)
        streams = [commands.reassign(study, version, asked), *self._deprecated(study)]
        done = Done(
            kind="reassigned",
            study_uid=study_uid,
            patient_keys=(taker, row.patient_key),
            tags=change.tags,
            instance_count=row.held_count,
        )
        return done, tuple(streams)

    def _move(self, asked: AskedMove, reason: str) -> Decision:
        source = self._fold(asked.study_uid)
        row = self._row(asked.study_uid)
        held = self._index.instances_for_manifest(asked.study_uid)
        going = _chosen(held, asked)
        move = Move(
            asked.study_uid,
            asked.to_study_uid,
            row.patient_key,
            going,
            _count(held, going),
            whole=False,
            reason=reason,
        )
        move = replace(move, whole=move.instance_count == row.held_count)
        return self._moved(source, move)

    def _moved(self, source: tuple[commands.Study, int], move: Move) -> Decision:
        there, version = self._fold(move.to_study_uid)
        if there.patient_key is not None:
            there = replace(there, patient_key=self._register.survivors.key(there.patient_key))
        streams = commands.move(source, (there, version), move)
        done = Done(
            kind="moved",
            study_uid=move.study_uid,
            patient_keys=(move.patient_key,),
            to_study_uid=move.to_study_uid,
            series=move.series,
            instance_count=move.instance_count,
        )
        gone = self._deprecated(source[0]) if move.whole else ()
        return done, (*streams, *gone)

    def _deprecated(self, study: commands.Study) -> tuple[StreamAppend, ...]:
        """Return the end of a manifest's document, if it still stands."""
        if study.manifest is None:
            return ()
        entry = study.manifest.entry_uuid
        stream = documents.deprecate(self._register.load((entry,))[entry])
        return () if stream is None else (stream,)

    def _revert(self, study_uid: str, position: int, reason: str) -> Decision:
        study, version = self._fold(study_uid)
        acts = [one for one in study.acts if _can_be_taken_back(one, study.reverted)]
        found = [one for one in acts if one.position == position] if position else acts[-1:]
        if not found:
            raise NothingChanges("there is nothing to be taken back")
        match found[0].fact:
            case StudyReassigned() as fact:
                return self._reassign(study_uid, fact.from_patient_key, reason, found[0].position)
            case InstancesMoved() as fact:
                return self._move_back(fact, found[0], reason)
            case _:
                row = self._row(study_uid)
                stream = commands.uncorrect(
                    study, version, found[0].position, patient_key=row.patient_key, reason=reason
                )
                done = Done(
                    kind="corrected",
                    study_uid=study_uid,
                    patient_keys=(row.patient_key,),
                    tags=getattr(found[0].fact, "tags", ()),
                    instance_count=row.held_count,
                )
                return done, (stream,)

    def _move_back(self, fact: InstancesMoved, act: Recorded, reason: str) -> Decision:
        source = self._fold(fact.to_study_uid)
        try:
            row = self._row(fact.to_study_uid)
        except StudyNotKnown:
            raise InstancesNotOfStudy("what was moved is somewhere else by now") from None
        held = self._index.instances_for_manifest(fact.to_study_uid)
        there = _by_series(held)
        series = []
        for series_uid, to, named in pairs(fact):
            here = there.get(to, [])
            chosen = [uid for uid in here if not named or uid in set(named)]
            if chosen:
                some = () if len(chosen) == len(here) else tuple(chosen)
                series.append(MovedSeries(to, series_uid, some))
        if fact.whole:
            # What came later for the study that was merged goes home too.
            told = {one.series_uid for one in series}
            series += [
                MovedSeries(uid, uid)
                for uid in self._index.followers(fact.to_study_uid, fact.study_uid, act.at)
                if uid not in told
            ]
        count = _count(held, series)
        move = Move(
            fact.to_study_uid,
            fact.study_uid,
            row.patient_key,
            tuple(series),
            count,
            whole=count == row.held_count,
            reason=reason,
            reverts=act.position,
        )
        return self._moved(source, move)


def _identity(state: patients.PatientState, whose: str) -> Change:
    """Return a patient as images are to name him; `whose`: the identifier their headers hold."""
    own = PatientId.parse(state.patient_id)
    same = bool(whose) and PatientId.parse(whose).authority == own.authority
    return patient_of(unquote(own.id), state.demographics, issuer=None if same else own.authority)


def _by_series(instances: Sequence[InstanceRow]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for one in instances:
        found[one.series_uid].append(one.sop_uid)
    return found


def _chosen(instances: Sequence[InstanceRow], asked: AskedMove) -> tuple[MovedSeries, ...]:
    held = _by_series(instances)
    if not asked.series_uids and not asked.sop_uids:
        return tuple(MovedSeries(uid, uid) for uid in held)
    whole = dict.fromkeys(asked.series_uids)
    where = {one.sop_uid: one.series_uid for one in instances}
    if any(uid not in held for uid in whole) or any(uid not in where for uid in asked.sop_uids):
        raise InstancesNotOfStudy("a series or an instance is not of the study")
    divided: dict[str, list[str]] = defaultdict(list)
    for uid in dict.fromkeys(asked.sop_uids):
        if where[uid] not in whole:
            divided[where[uid]].append(uid)
    found = [MovedSeries(uid, uid) for uid in whole]
    for series_uid, uids in divided.items():
        if len(uids) == len(held[series_uid]):
            found.append(MovedSeries(series_uid, series_uid))
        else:
            found.append(MovedSeries(series_uid, new_uid(), tuple(uids)))
    return tuple(found)


def _count(instances: Sequence[InstanceRow], series: Sequence[MovedSeries]) -> int:
    held = _by_series(instances)
    return sum(len(one.sop_uids) or len(held[one.series_uid]) for one in series)


def _can_be_taken_back(one: Recorded, reverted: frozenset[int]) -> bool:
    if one.position in reverted or isinstance(one.fact, InstancesAdopted):
        return False
    return not getattr(one.fact, "reverts", 0)


_KINDS: Final = {
    StudyCorrected: "corrected",
    StudyReassigned: "reassigned",
    InstancesMoved: "moved",
    InstancesAdopted: "adopted",
}


def _act(one: Recorded, reverted: frozenset[int]) -> Act:
    fact = one.fact
    return Act(
        position=one.position,
        at=one.at,
        subject=one.envelope.subject,
        kind=next(word for kind, word in _KINDS.items() if isinstance(fact, kind)),
        tags=getattr(fact, "tags", ()),
        from_study_uid=getattr(fact, "from_study_uid", ""),
        to_study_uid=getattr(fact, "to_study_uid", ""),
        instance_count=getattr(fact, "instance_count", 0),
        reason=getattr(fact, "reason", ""),
        reverts=getattr(fact, "reverts", 0),
        reverted=one.position in reverted,
    )
