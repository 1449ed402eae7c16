"""Turns access events into rows of the audit trail, a batch in two statements.

Design A4 (high volume). Run by `projections/runner.py` on the access ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.times import micros
from projections.audit_trail.tables import Tables
from projections.contract import ViewSpec
from registry.audit.events import AccessRecorded

NAME: Final = "audit_trail"
PATIENT: Final = "patient"
STUDY: Final = "study"
DOCUMENT: Final = "document"


class AuditTrailProjection:
    """Writes the audit trail."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        accesses: list[dict[str, Any]] = []
        touched: list[dict[str, Any]] = []
        for recorded in events:
            if isinstance(recorded.fact, AccessRecorded):
                accesses.append(_access(recorded, recorded.fact))
                touched.extend(_touched(recorded.position, recorded.fact))
        if accesses:
            connection.execute(self._tables.accesses.insert(), accesses)
        if touched:
            connection.execute(self._tables.touched.insert(), touched)


def _access(recorded: Recorded, fact: AccessRecorded) -> dict[str, Any]:
    envelope = recorded.envelope
    return {
        "position": recorded.position,
        "at": micros(recorded.at),
        "subject": envelope.subject[:255],
        "subject_kind": envelope.subject_kind[:32],
        "address": envelope.address[:64],
        "protocol": envelope.protocol[:64],
        "source": envelope.source,
        "node": envelope.node,
        "purpose": envelope.purpose,
        "correlation": str(envelope.correlation),
        "action": fact.action[:32],
        "outcome": fact.outcome[:16],
        "transaction": fact.transaction[:64],
        "count": fact.count,
        "detail": fact.detail,
    }


def _touched(position: int, fact: AccessRecorded) -> list[dict[str, Any]]:
    keys = dict.fromkeys(
        [(PATIENT, str(key)) for key in fact.patient_keys]
        + [(STUDY, uid[:255]) for uid in fact.study_uids]
        + [(DOCUMENT, uid[:255]) for uid in fact.document_ids]
    )
    return [{"kind": kind, "key": key, "position": position} for kind, key in keys]


SPEC: Final = ViewSpec(
    name=NAME,
    version=1,
    topics=(AccessRecorded.TOPIC,),
    make_tables=Tables,
    make_projection=AuditTrailProjection,
    ledger="access",
)
