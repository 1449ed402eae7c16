"""Where an instance belongs after studies were split, merged or reassigned, in a view's own tables.

Requirements R-6.3.4, IHE RAD TF-2 4.66 in spirit: what comes late for a study or series that was
moved as a whole follows it. Used by the projections whose rows name study, series and patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from registry.patients.events import PatientAbsorbed
from registry.studies.events import (
    InstancesMoved,
    InstancesRejected,
    InstancesStored,
    StudyReassigned,
)

_ANY: Final = ""
"""Stands for every series of a study, every instance of a series."""
_NEW: Final = "-"
"""Stands for a series that nobody has seen."""
AT_ONCE: Final = 500
Place = tuple[str, str]
"""Study and series."""


class MoveTables:
    """The tables of moves of one view."""

    def __init__(self, metadata: sa.MetaData, name: str, suffix: str) -> None:
        self.redirects = sa.Table(
            f"{name}_redirect{suffix}",
            metadata,
            sa.Column("study_uid", sa.String(64), primary_key=True),
            sa.Column("series_uid", sa.String(64), primary_key=True),
            sa.Column("to_study", sa.String(64), nullable=False),
            sa.Column("to_series", sa.String(64), nullable=False),
        )
        self.reassigned = sa.Table(
            f"{name}_reassigned{suffix}",
            metadata,
            sa.Column("study_uid", sa.String(64), primary_key=True),
            sa.Column("from_key", sa.String(36), primary_key=True),
            sa.Column("to_key", sa.String(36), nullable=False),
        )


class MovedInstances:
    """The moves and reassignments that a projection has seen."""

    def __init__(self, tables: MoveTables) -> None:
        self._redirects, self._reassigned = tables.redirects, tables.reassigned
        self._any = False
        """Something was ever moved."""
        self._looked = False

    def begin(self) -> None:
        """Begin a batch: whether anything was ever moved is looked up once in each."""
        self._looked = False

    def placed(self, connection: Connection, fact: InstancesStored) -> Sequence[InstancesStored]:
        """Return a fact as it is to be applied: in parts, if its series went different ways."""
        if not self._is_needed(connection):
            return (fact,)
        places = [
            self._place(connection, (fact.study_uid, series_uid)) for series_uid in fact.series_uids
        ]
        parts = []
        for study_uid in dict.fromkeys(study for study, _ in places):
            key = self.owner(connection, fact.study_uid, fact.patient_key)
            if study_uid != fact.study_uid:
                key = self.owner(connection, study_uid, key)
            parts.append(_part(fact, places, study_uid, key))
        return parts

    def rejected(self, connection: Connection, fact: InstancesRejected) -> InstancesRejected:
        """Return what a note rejects as told of the patient whose the study is now."""
        if not self._is_needed(connection):
            return fact
        key = self.owner(connection, fact.study_uid, fact.patient_key)
        return msgspec.structs.replace(fact, patient_key=key)

    def move(self, connection: Connection, fact: InstancesMoved) -> None:
        """Let what is still to come follow, where a study or series went as a whole."""
        self._any = True
        c = self._redirects.c
        back = [*fact.to_series_uids, _ANY]
        for start in range(0, len(back), AT_ONCE):
            connection.execute(
                self._redirects.delete().where(
                    c.study_uid == fact.to_study_uid,
                    c.to_study == fact.study_uid,
                    c.series_uid.in_(back[start : start + AT_ONCE]),
                )
            )
        told = [
            (series_uid, to)
            for series_uid, to, whole in zip(
                fact.series_uids, fact.to_series_uids, fact.whole_series, strict=True
            )
            if whole
        ]
        if fact.whole:
            told.append((_ANY, _ANY))
        for series_uid, to in told:
            here = sa.and_(c.study_uid == fact.study_uid, c.series_uid == series_uid)
            connection.execute(self._redirects.delete().where(here))
            connection.execute(
                self._redirects.insert().values(
                    study_uid=fact.study_uid,
                    series_uid=series_uid,
                    to_study=fact.to_study_uid,
                    to_series=to,
                )
            )
        if fact.whole:
            stays = sa.and_(c.study_uid == fact.study_uid, c.to_study == fact.study_uid)
            connection.execute(self._redirects.delete().where(stays))
        for _, to in told:
            self._end_circle(connection, (fact.to_study_uid, to))

    def _end_circle(self, connection: Connection, place: Place) -> None:
        """Let what comes for a place stay there, if the moves lead from it back to it."""
        begin = (place[0], place[1] or _NEW)
        if self._redirect(connection, self.way(connection, begin)[-1]) != begin:
            return
        c = self._redirects.c
        here = sa.and_(c.study_uid == place[0], c.series_uid == place[1])
        connection.execute(self._redirects.delete().where(here))
        if place[1]:
            connection.execute(
                self._redirects.insert().values(
                    study_uid=place[0], series_uid=place[1], to_study=place[0], to_series=place[1]
                )
            )

    def way(self, connection: Connection, place: Place) -> Sequence[Place]:
        """Return a place and those that lead from it to where its instances belong, in order."""
        way = [place]
        while (found := self._redirect(connection, way[-1])) is not None and found not in way:
            way.append(found)
        return way

    def reassign(self, connection: Connection, fact: StudyReassigned) -> None:
        """Let what is still to come of a study be of the patient whose it is now."""
        self._any = True
        table, c = self._reassigned, self._reassigned.c
        giver, taker = str(fact.from_patient_key), str(fact.patient_key)
        mine = c.study_uid == fact.study_uid
        connection.execute(table.delete().where(mine, c.from_key.in_((giver, taker))))
        connection.execute(table.update().where(mine, c.to_key == giver).values(to_key=taker))
        connection.execute(
            table.insert().values(study_uid=fact.study_uid, from_key=giver, to_key=taker)
        )

    def absorb(self, connection: Connection, fact: PatientAbsorbed) -> None:
        """Follow a merge of patients: facts are told of the survivor from now on."""
        if not self._is_needed(connection):
            return
        table, c = self._reassigned, self._reassigned.c
        subsumed, survivor = str(fact.subsumed), str(fact.patient_key)
        connection.execute(table.update().where(c.to_key == subsumed).values(to_key=survivor))
        held = sa.select(c.study_uid).where(c.from_key == survivor)
        connection.execute(table.delete().where(c.from_key == subsumed, c.study_uid.in_(held)))
        connection.execute(table.update().where(c.from_key == subsumed).values(from_key=survivor))
        connection.execute(table.delete().where(c.from_key == c.to_key))

    def copy(self, connection: Connection, study_uid: str, to_study_uid: str) -> None:
        """Let a study that is split off belong to whom the first one does."""
        c = self._reassigned.c
        rows = connection.execute(
            sa.select(c.from_key, c.to_key).where(c.study_uid == study_uid)
        ).all()
        held = set(
            connection.execute(sa.select(c.from_key).where(c.study_uid == to_study_uid)).scalars()
        )
        new = [
            {"study_uid": to_study_uid, "from_key": row.from_key, "to_key": row.to_key}
            for row in rows
            if row.from_key not in held
        ]
        if new:
            connection.execute(self._reassigned.insert(), new)

    def _is_needed(self, connection: Connection) -> bool:
        if not self._any and not self._looked:
            self._looked = True
            self._any = any(
                connection.execute(sa.select(table.c.study_uid).limit(1)).first() is not None
                for table in (self._redirects, self._reassigned)
            )
        return self._any

    def _place(self, connection: Connection, place: Place) -> Place:
        return self.way(connection, place)[-1]

    def _redirect(self, connection: Connection, place: Place) -> Place | None:
        c = self._redirects.c
        row = connection.execute(
            sa.select(c.to_study, c.to_series)
            .where(c.study_uid == place[0], c.series_uid.in_((place[1], _ANY)))
            .order_by(c.series_uid.desc())
            .limit(1)
        ).first()
        return None if row is None else (row.to_study, row.to_series or place[1])

    def owner(self, connection: Connection, study_uid: str, patient_key: UUID) -> UUID:
        """Return whose an instance of a study is that was once this patient's."""
        c = self._reassigned.c
        found = connection.execute(
            sa.select(c.to_key).where(c.study_uid == study_uid, c.from_key == str(patient_key))
        ).scalar_one_or_none()
        return patient_key if found is None else UUID(found)


def pairs(fact: InstancesMoved) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield each series of a move: from where, to where, its instances (none: all of them)."""
    for index, (series_uid, to, whole) in enumerate(
        zip(fact.series_uids, fact.to_series_uids, fact.whole_series, strict=True)
    ):
        named = tuple(
            uid for uid, of in zip(fact.sop_uids, fact.series, strict=True) if of == index
        )
        if whole or named:
            yield series_uid, to, () if whole else named


def _part(
    fact: InstancesStored, places: Sequence[Place], study_uid: str, patient_key: UUID
) -> InstancesStored:
    chosen = [n for n, of in enumerate(fact.series) if places[of][0] == study_uid]
    series = {
        uid: n for n, uid in enumerate(dict.fromkeys(places[fact.series[n]][1] for n in chosen))
    }
    return msgspec.structs.replace(
        fact,
        study_uid=study_uid,
        patient_key=patient_key,
        series_uids=tuple(series),
        sop_uids=tuple(fact.sop_uids[n] for n in chosen),
        series=tuple(series[places[fact.series[n]][1]] for n in chosen),
        sop_class=tuple(fact.sop_class[n] for n in chosen),
        transfer_syntax=tuple(fact.transfer_syntax[n] for n in chosen),
        sizes=tuple(fact.sizes[n] for n in chosen),
        sha256=tuple(fact.sha256[n] for n in chosen),
    )
