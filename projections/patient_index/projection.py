"""Turns the facts of the patients room into one row an identifier.

Design A4; a shredded patient leaves the index, a subsumed identifier stays and names its survivor.
Run by `projections/runner.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Fact, Recorded
from kernel.identifiers import PatientId
from kernel.times import micros
from projections.contract import ViewSpec
from projections.patient_index.tables import Tables
from projections.person_names import name_keys, part_keys
from registry.patients import events as facts
from registry.patients.values import Demographics

NAME: Final = "patient_index"


FAMILY: Final = "family"
GIVEN: Final = "given"
_MAX_KEY: Final = 256
"""Characters of a name that it is found by: PostgreSQL indexes no more than 2,700 octets."""


class PatientIndexProjection:
    """Writes the patient index."""

    def __init__(self, tables: Tables) -> None:
        self._table = tables.patients
        self._parts = tables.name_parts

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        for recorded in events:
            fact = recorded.fact
            match fact:
                case facts.PatientIdentified():
                    if not recorded.shredded and fact.patient_id:
                        self._identify(connection, fact, micros(recorded.at))
                case facts.PatientDemographicsChanged():
                    if not recorded.shredded:
                        self._change(connection, fact, micros(recorded.at))
                case facts.PatientShredded():
                    self._forget(connection, str(fact.patient_key))
                case _:
                    self._relate(connection, fact)

    def _relate(self, connection: Connection, fact: Fact) -> None:
        match fact:
            case facts.IdentifierLinked():
                self._set(connection, fact.patient_key, person=str(fact.person))
            case facts.IdentifierUnlinked():
                self._set(connection, fact.patient_key, person=str(fact.patient_key))
            case facts.PatientMerged():
                self._set(connection, fact.patient_key, merged_into=str(fact.into))
            case facts.PatientAbsorbed():
                self._flatten(connection, fact)
            case _:
                pass

    def _identify(self, connection: Connection, fact: facts.PatientIdentified, at: int) -> None:
        key = str(fact.patient_key)
        demographics = fact.demographics or Demographics()
        told = {
            "patient_id": fact.patient_id,
            "local_id": fact.patient_id.partition("^")[0],
            "authority": PatientId.parse(fact.patient_id).authority,
            "local": fact.origin == "local",
            "origin": fact.origin,
            "changed_at": at,
            **_columns(demographics),
        }
        # A second time when a feed or an image makes known to XDS whom only a local feed knew.
        known = connection.execute(
            self._table.update().where(self._table.c.patient_key == key).values(**told)
        )
        if not known.rowcount:
            connection.execute(
                self._table.insert().values(
                    patient_key=key, known_at=at, person=key, merged_into="", **told
                )
            )
        self._name(connection, key, demographics)

    def _change(
        self, connection: Connection, fact: facts.PatientDemographicsChanged, at: int
    ) -> None:
        demographics = fact.demographics or Demographics()
        self._set(
            connection,
            fact.patient_key,
            origin=fact.origin,
            changed_at=at,
            **_columns(demographics),
        )
        self._name(connection, str(fact.patient_key), demographics)

    def _name(self, connection: Connection, key: str, demographics: Demographics) -> None:
        parts = self._parts
        connection.execute(parts.delete().where(parts.c.patient_key == key))
        rows = [
            {"patient_key": key, "part": part, "key": found}
            for part, found in sorted(_name_parts(demographics.name))
        ]
        if rows:
            connection.execute(parts.insert(), rows)

    def _flatten(self, connection: Connection, fact: facts.PatientAbsorbed) -> None:
        """Let what was merged into the subsumed one name its survivor too."""
        c = self._table.c
        connection.execute(
            self._table.update()
            .where(c.merged_into == str(fact.subsumed))
            .values(merged_into=str(fact.patient_key))
        )

    def _set(self, connection: Connection, patient_key: UUID, **values: Any) -> None:
        connection.execute(
            self._table.update()
            .where(self._table.c.patient_key == str(patient_key))
            .values(**values)
        )

    def _forget(self, connection: Connection, patient_key: str) -> None:
        """Drop the patient and what was merged into him."""
        c = self._table.c
        his = sa.select(c.patient_key).where(
            sa.or_(c.patient_key == patient_key, c.merged_into == patient_key)
        )
        connection.execute(self._parts.delete().where(self._parts.c.patient_key.in_(his)))
        connection.execute(
            self._table.delete().where(
                sa.or_(c.patient_key == patient_key, c.merged_into == patient_key)
            )
        )


def _name_parts(person_name: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for group in person_name.split("=")[:2]:
        family, given, middle = (*group.split("^"), "", "", "")[:3]
        found |= {(FAMILY, key) for key in part_keys(family, surname=True)}
        found |= {(GIVEN, key) for key in part_keys(given)}
        if middle:
            found |= {(GIVEN, key) for key in part_keys(given + middle)}
    return {(part, key[:_MAX_KEY]) for part, key in found}


def _columns(demographics: Demographics) -> dict[str, Any]:
    keys = name_keys(demographics.name)
    return {
        "name": demographics.name,
        "alphabetic": keys.alphabetic,
        "ideographic": keys.ideographic,
        "latin": keys.latin[:_MAX_KEY],
        "written": keys.written[:_MAX_KEY],
        "pinyin": keys.pinyin[:_MAX_KEY],
        "initials": keys.initials[:_MAX_KEY],
        "sex": demographics.sex[:16],
        "birth_date": demographics.birth_date[:64],
        "address": demographics.address,
        "telephone": demographics.telephone,
    }


SPEC: Final = ViewSpec(
    name=NAME,
    version=4,
    topics=(
        facts.PatientIdentified.TOPIC,
        facts.PatientDemographicsChanged.TOPIC,
        facts.IdentifierLinked.TOPIC,
        facts.IdentifierUnlinked.TOPIC,
        facts.PatientMerged.TOPIC,
        facts.PatientAbsorbed.TOPIC,
        facts.PatientShredded.TOPIC,
    ),
    make_tables=Tables,
    make_projection=PatientIndexProjection,
)
