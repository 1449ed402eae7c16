"""Turns complete studies and rejections into notifications that are owed, and keeps what we hear.

Design A4, PS3.4 R (decision 0021: what is owed is a view, not a queue). Run by
`projections/runner.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.times import micros
from projections.availability.tables import Tables
from projections.contract import ViewSpec
from registry.availability.events import (
    AvailabilityAbandoned,
    AvailabilityDelayed,
    AvailabilityNoted,
    AvailabilityTold,
    RecipientAdded,
    RecipientRemoved,
)
from registry.studies.events import InstancesRejected, StudyCompleted

NAME: Final = "availability"
WAITING: Final = "waiting"
TOLD: Final = "told"
ABANDONED: Final = "abandoned"
_encode: Final = msgspec.msgpack.Encoder().encode


class AvailabilityProjection:
    """Writes what is owed and what was noted."""

    def __init__(self, tables: Tables) -> None:
        self._recipients = tables.recipients
        self._owed = tables.owed
        self._notices = tables.notices

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        for recorded in events:
            match recorded.fact:
                case StudyCompleted() as fact:
                    self._completed(connection, fact, recorded)
                case InstancesRejected() as fact:
                    # Who was told of the study hears of it at once.
                    told = self._owed.c.study_uid == fact.study_uid
                    changed = self._owed.update().where(told).values(**_waiting(recorded))
                    connection.execute(changed)
                case RecipientAdded() as fact:
                    connection.execute(self._recipients.insert().values(ae_title=fact.ae_title))
                case RecipientRemoved() as fact:
                    for table in (self._recipients, self._owed):
                        connection.execute(table.delete().where(table.c.ae_title == fact.ae_title))
                case AvailabilityNoted() as fact:
                    self._noted(connection, fact, micros(recorded.at))
                case (AvailabilityTold() | AvailabilityAbandoned() | AvailabilityDelayed()) as fact:
                    self._settle(connection, fact)
                case _:
                    pass

    def _completed(self, connection: Connection, fact: StudyCompleted, recorded: Recorded) -> None:
        titles = connection.execute(sa.select(self._recipients.c.ae_title)).scalars().all()
        if not titles:
            return
        mine = self._owed.c.study_uid == fact.study_uid
        connection.execute(self._owed.delete().where(mine))
        told = _waiting(recorded)
        connection.execute(
            self._owed.insert(),
            [{"ae_title": title, "study_uid": fact.study_uid, **told} for title in titles],
        )

    def _noted(self, connection: Connection, fact: AvailabilityNoted, at: int) -> None:
        connection.execute(
            self._notices.insert().values(
                sop_uid=fact.sop_uid,
                study_uid=fact.study_uid,
                source=fact.source[:16],
                step_uid=fact.step_uid,
                at=at,
                body=_encode(fact.instances),
            )
        )

    def _settle(
        self,
        connection: Connection,
        fact: AvailabilityTold | AvailabilityDelayed | AvailabilityAbandoned,
    ) -> None:
        c = self._owed.c
        match fact:
            case AvailabilityTold():
                changes: dict[str, Any] = {"state": TOLD}
            case AvailabilityAbandoned():
                changes = {"state": ABANDONED, "attempts": fact.attempt}
            case AvailabilityDelayed():
                changes = {"attempts": fact.attempt, "again": fact.again}
        connection.execute(
            self._owed.update()
            # What became owed meanwhile is owed still.
            .where(
                c.ae_title == fact.ae_title,
                c.study_uid == fact.study_uid,
                c.through <= fact.through,
            )
            .values(**changes)
        )


def _waiting(recorded: Recorded) -> dict[str, Any]:
    at = micros(recorded.at)
    return {
        "state": WAITING,
        "through": recorded.position,
        "owed_at": at,
        "attempts": 0,
        "again": at,
    }


SPEC: Final = ViewSpec(
    name=NAME,
    version=1,
    topics=(
        StudyCompleted.TOPIC,
        InstancesRejected.TOPIC,
        RecipientAdded.TOPIC,
        RecipientRemoved.TOPIC,
        AvailabilityNoted.TOPIC,
        AvailabilityTold.TOPIC,
        AvailabilityDelayed.TOPIC,
        AvailabilityAbandoned.TOPIC,
    ),
    make_tables=Tables,
    make_projection=AvailabilityProjection,
)
