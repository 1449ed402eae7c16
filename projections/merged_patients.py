"""Whose row it is after merges: keeps, in a view's own table, which patient was merged into whom.

Implements ITI TF-2 3.8.4.2.4 for the views: what a later event tells of a subsumed identifier is
the survivor's. Used by the projections whose rows belong to a patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Fact, Recorded
from registry.patients.events import PatientAbsorbed, PatientShredded

_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Survivor:
    """Who a subsumed patient is now."""

    patient_key: UUID
    patient_id: str
    """CX; empty once the survivor's data were destroyed."""


def merges_table(metadata: sa.MetaData, name: str) -> sa.Table:
    """Return the table of merges of one view; `patient_key` is the survivor's, as in any row."""
    return sa.Table(
        name,
        metadata,
        sa.Column("subsumed", sa.Uuid, primary_key=True),
        sa.Column("patient_key", sa.Uuid, nullable=False, index=True),
        sa.Column("patient_id", sa.Text, nullable=False),
    )


class MergedPatients:
    """The merges that a projection has seen, for one batch of events."""

    def __init__(self, table: sa.Table) -> None:
        self._table = table
        self._known: dict[UUID, Survivor] = {}

    def following(
        self, connection: Connection, events: Sequence[Recorded]
    ) -> Iterator[tuple[Recorded, Fact]]:
        """Yield each event with its fact as told of the survivor.

        A `PatientAbsorbed` is taken note of once the caller has dealt with it; by then the
        rows of the subsumed patient must be moved.
        """
        self._load(connection, {key for e in events for key in _keys(e.fact)})
        for recorded in events:
            fact = recorded.fact
            if isinstance(fact, PatientAbsorbed):
                yield recorded, fact
                self._absorb(connection, fact)
            elif isinstance(fact, PatientShredded):
                yield recorded, fact
                connection.execute(
                    self._table.delete().where(self._table.c.patient_key == fact.patient_key)
                )
            else:
                yield recorded, self._now(fact)

    def _now(self, fact: Fact) -> Fact:
        for name in _NAMES:
            key = getattr(fact, name, None)
            survivor = self._known.get(key) if isinstance(key, UUID) else None
            if survivor is not None:
                fact = _told_of(fact, survivor, name)
        return fact

    def _load(self, connection: Connection, keys: set[UUID]) -> None:
        self._known = {}
        wanted, c = sorted(keys), self._table.c
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            for row in connection.execute(sa.select(self._table).where(c.subsumed.in_(part))):
                self._known[row.subsumed] = Survivor(row.patient_key, row.patient_id)

    def _absorb(self, connection: Connection, fact: PatientAbsorbed) -> None:
        table = self._table
        survivor = Survivor(fact.patient_key, fact.patient_id)
        now = {"patient_key": survivor.patient_key, "patient_id": survivor.patient_id}
        connection.execute(table.update().where(table.c.patient_key == fact.subsumed).values(**now))
        connection.execute(table.insert().values(subsumed=fact.subsumed, **now))
        for key, held in list(self._known.items()):
            if held.patient_key == fact.subsumed:
                self._known[key] = survivor
        self._known[fact.subsumed] = survivor


_NAMES: Final = ("patient_key", "from_patient_key")
"""Fields that say of whom a fact tells."""


def _keys(fact: Fact) -> Iterator[UUID]:
    for name in _NAMES:
        found = getattr(fact, name, None)
        if isinstance(found, UUID):
            yield found


def _told_of(fact: Fact, survivor: Survivor, key: str) -> Fact:
    """Return a fact of a subsumed patient as one of the survivor, in what it says of him too."""
    changes: dict[str, Any] = {key: survivor.patient_key}
    for name in fact.__struct_fields__ if key == "patient_key" else ():
        value = getattr(fact, name)
        if isinstance(value, msgspec.Struct) and hasattr(value, "patient_id"):
            changes[name] = msgspec.structs.replace(value, patient_id=survivor.patient_id)
    return msgspec.structs.replace(fact, **changes)
