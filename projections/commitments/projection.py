"""Turns what was asked, reported and not taken into one row a commitment.

Design A4, PS3.4 J. Run by `projections/runner.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.times import micros
from projections.commitments.tables import Tables
from projections.contract import ViewSpec
from registry.commitments.events import (
    CommitmentAbandoned,
    CommitmentAsked,
    CommitmentDelayed,
    CommitmentReported,
)

NAME: Final = "commitments"
WAITING: Final = "waiting"
REPORTED: Final = "reported"
ABANDONED: Final = "abandoned"
_encode: Final = msgspec.msgpack.Encoder().encode


class CommitmentsProjection:
    """Writes the commitments."""

    def __init__(self, tables: Tables) -> None:
        self._table = tables.commitments

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        for recorded in events:
            match recorded.fact:
                case CommitmentAsked() as fact:
                    self._asked(connection, fact, micros(recorded.at))
                case CommitmentReported() as fact:
                    changed: dict[str, Any] = {
                        "state": REPORTED,
                        "committed": fact.committed,
                        "failed": len(fact.failed),
                    }
                    self._change(connection, fact, changed)
                case CommitmentDelayed() as fact:
                    changed = {"attempts": fact.attempt, "again": fact.again}
                    self._change(connection, fact, changed)
                case CommitmentAbandoned() as fact:
                    changed = {"state": ABANDONED, "attempts": fact.attempt}
                    self._change(connection, fact, changed)
                case _:
                    pass

    def _asked(self, connection: Connection, fact: CommitmentAsked, at: int) -> None:
        table = self._table
        connection.execute(
            table.delete().where(
                table.c.ae_title == fact.ae_title, table.c.transaction_uid == fact.transaction_uid
            )
        )
        connection.execute(
            table.insert().values(
                ae_title=fact.ae_title,
                transaction_uid=fact.transaction_uid,
                state=WAITING,
                asked_at=at,
                attempts=0,
                again=at,
                committed=0,
                failed=0,
                body=_encode(fact.references),
            )
        )

    def _change(
        self,
        connection: Connection,
        fact: CommitmentReported | CommitmentDelayed | CommitmentAbandoned,
        changed: dict[str, Any],
    ) -> None:
        table = self._table
        connection.execute(
            table.update()
            .where(
                table.c.ae_title == fact.ae_title, table.c.transaction_uid == fact.transaction_uid
            )
            .values(**changed)
        )


SPEC: Final = ViewSpec(
    name=NAME,
    version=1,
    topics=(
        CommitmentAsked.TOPIC,
        CommitmentReported.TOPIC,
        CommitmentDelayed.TOPIC,
        CommitmentAbandoned.TOPIC,
    ),
    make_tables=Tables,
    make_projection=CommitmentsProjection,
)
