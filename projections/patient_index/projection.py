"""Turns the facts of the patients room into one row a patient.

Design A4; a shredded patient leaves the index. Run by `projections/runner.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.times import micros
from projections.contract import ViewSpec
from projections.patient_index.tables import Tables
from projections.person_names import name_keys
from registry.patients import events as facts
from registry.patients.values import Demographics

NAME: Final = "patient_index"


class PatientIndexProjection:
    """Writes the patient index."""

    def __init__(self, tables: Tables) -> None:
        self._table = tables.patients

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        for recorded in events:
            fact = recorded.fact
            match fact:
                case facts.PatientIdentified():
                    self._forget(connection, str(fact.patient_key))
                    if not recorded.shredded and fact.patient_id:
                        self._identify(connection, fact, micros(recorded.at))
                case facts.PatientDemographicsChanged():
                    if not recorded.shredded:
                        self._change(connection, fact, micros(recorded.at))
                case facts.PatientShredded():
                    self._forget(connection, str(fact.patient_key))
                case _:
                    pass

    def _identify(self, connection: Connection, fact: facts.PatientIdentified, at: int) -> None:
        connection.execute(
            self._table.insert().values(
                patient_key=str(fact.patient_key),
                patient_id=fact.patient_id,
                local_id=fact.patient_id.partition("^")[0],
                origin=fact.origin,
                known_at=at,
                changed_at=at,
                **_columns(fact.demographics or Demographics()),
            )
        )

    def _change(
        self, connection: Connection, fact: facts.PatientDemographicsChanged, at: int
    ) -> None:
        connection.execute(
            self._table.update()
            .where(self._table.c.patient_key == str(fact.patient_key))
            .values(
                origin=fact.origin, changed_at=at, **_columns(fact.demographics or Demographics())
            )
        )

    def _forget(self, connection: Connection, patient_key: str) -> None:
        connection.execute(self._table.delete().where(self._table.c.patient_key == patient_key))


def _columns(demographics: Demographics) -> dict[str, Any]:
    keys = name_keys(demographics.name)
    return {
        "name": demographics.name,
        "alphabetic": keys.alphabetic,
        "ideographic": keys.ideographic,
        "latin": keys.latin,
        "written": keys.written,
        "pinyin": keys.pinyin,
        "initials": keys.initials,
        "sex": demographics.sex[:16],
        "birth_date": demographics.birth_date[:64],
    }


SPEC: Final = ViewSpec(
    name=NAME,
    version=1,
    topics=(
        facts.PatientIdentified.TOPIC,
        facts.PatientDemographicsChanged.TOPIC,
        facts.PatientShredded.TOPIC,
    ),
    make_tables=Tables,
    make_projection=PatientIndexProjection,
)
