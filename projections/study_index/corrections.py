"""Keeps what is told otherwise than headers say, and writes it into the rows of studies.

Requirements R-6.3.4. A correction counts until something later is told: an identity feed (ADT A08,
A40) tells name, birth date, sex and identifier of a patient's studies. Called by `projection.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from kernel.events import Recorded
from kernel.times import micros
from projections.person_names import name_keys
from projections.study_index.attributes import STUDY_MORE, STUDY_RETURNED
from projections.study_index.overlay import ORIGINAL_ATTRIBUTES, provenance
from projections.study_index.rows import (
    MAX_SHORT,
    MAX_TEXT,
    fixed_members,
    packed_members,
    person_keys,
    study_json,
)
from projections.study_index.tables import Tables
from registry.patients.events import (
    PatientAbsorbed,
    PatientDemographicsChanged,
    PatientIdentified,
    PatientShredded,
)
from registry.patients.values import Demographics
from registry.studies.events import StudyCorrected, StudyReassigned

NAME: Final = "00100010"
PATIENT_ID: Final = "00100020"
BIRTH_DATE: Final = "00100030"
SEX: Final = "00100040"
_TOLD: Final = {NAME: ("name", "PN"), BIRTH_DATE: ("birth_date", "DA"), SEX: ("sex", "CS")}
FEEDS: Final = frozenset(("feed", "local"))
"""Origins of what is told: what image headers tell changes no other image."""
_PLACEHOLDER: Final = "NOID-"
"""Begins the identifier of a patient whose images name none."""
_KEPT: Final = frozenset((*STUDY_RETURNED, *STUDY_MORE))
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_AT_ONCE: Final = 500
_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode
Members = dict[str, Mapping[str, Any]]


class Corrections:
    """The corrections of one view."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._any = False
        """Something was ever told otherwise: else a batch costs no look."""

    def tell(
        self,
        connection: Connection,
        fact: PatientIdentified | PatientDemographicsChanged,
        event: Recorded,
    ) -> set[str]:
        """Take what a feed tells of a patient; returns the studies that may change."""
        if event.shredded or fact.origin not in FEEDS:
            return set()
        told, key = fact.demographics or Demographics(), str(fact.patient_key)
        values: dict[str, Any] = {"name": told.name, "birth_date": told.birth_date, "sex": told.sex}
        if isinstance(fact, PatientIdentified):
            values["patient_id"] = fact.patient_id
        if not self._keep(connection, key, values, micros(event.at)):
            return set()
        studies = self._studies_of(connection, key)
        self._overrule(connection, studies, [tag for tag, (of, _) in _TOLD.items() if values[of]])
        return studies

    def absorb(self, connection: Connection, fact: PatientAbsorbed, event: Recorded) -> set[str]:
        """Follow a merge; the studies are the survivor's already."""
        told, key = self._tables.told, str(fact.patient_key)
        connection.execute(told.delete().where(told.c.patient_key == str(fact.subsumed)))
        if event.shredded or not fact.patient_id:
            return set()
        self._keep(connection, key, {"patient_id": fact.patient_id}, micros(event.at))
        studies = self._studies_of(connection, key)
        self._overrule(connection, studies, [PATIENT_ID])
        return studies

    def correct(self, connection: Connection, fact: StudyCorrected, event: Recorded) -> None:
        """Take a correction, or take one back."""
        table = self._tables.corrections
        self._any = True
        if fact.reverts:
            connection.execute(
                table.delete().where(
                    table.c.study_uid == fact.study_uid, table.c.position == fact.reverts
                )
            )
        self._insert(connection, fact.study_uid, fact.values, event)

    def reassign(self, connection: Connection, fact: StudyReassigned, event: Recorded) -> None:
        """Give a study to another patient, with what is to be told of him."""
        tables, table = self._tables, self._tables.corrections
        self._any = True
        giver, taker = str(fact.from_patient_key), str(fact.patient_key)
        for rows in (tables.instances, tables.series, tables.studies, tables.corrected):
            connection.execute(
                rows.update()
                .where(rows.c.study_uid == fact.study_uid, rows.c.patient_key == giver)
                .values(patient_key=taker)
            )
        connection.execute(
            table.delete().where(
                table.c.study_uid == fact.study_uid, table.c.tag >= "0010", table.c.tag < "0011"
            )
        )
        self._insert(connection, fact.study_uid, fact.values, event)

    def forget(self, connection: Connection, fact: PatientShredded) -> set[str]:
        """Drop what is known of a patient whose rows go; returns other studies that change."""
        tables, key = self._tables, str(fact.patient_key)
        gone = self._studies_of(connection, key)
        table = tables.corrections
        sealed = set(
            connection.execute(
                sa.select(table.c.study_uid).where(table.c.sealed_for == key).distinct()
            ).scalars()
        )
        connection.execute(table.delete().where(table.c.sealed_for == key))
        for part in _parts(gone):
            for of in (table, tables.corrected):
                connection.execute(of.delete().where(of.c.study_uid.in_(part)))
        his = sa.select(tables.instances.c.sop_uid).where(tables.instances.c.patient_key == key)
        connection.execute(tables.moved.delete().where(tables.moved.c.sop_uid.in_(his)))
        connection.execute(tables.told.delete().where(tables.told.c.patient_key == key))
        return sealed - gone

    def settle(
        self,
        connection: Connection,
        study_uids: Iterable[str],
        revision: int,
        *,
        pending: bool = False,
    ) -> bool:
        """Write what is told now into the rows of studies; `pending`: their manifests are old.

        Returns whether rows may have changed.
        """
        wanted = set(study_uids)
        if not wanted or not (pending or self._is_needed(connection)):
            return False
        for part in _parts(wanted):
            self._settle(connection, part, revision, pending=pending)
        return True

    def _settle(
        self, connection: Connection, study_uids: Sequence[str], revision: int, *, pending: bool
    ) -> None:
        tables = self._tables
        corrected = {
            row["study_uid"]: row
            for row in connection.execute(
                sa.select(tables.corrected).where(tables.corrected.c.study_uid.in_(study_uids))
            ).mappings()
        }
        made: dict[str, Members] = {}
        last: dict[str, int] = {}
        table = tables.corrections
        for row in connection.execute(
            sa.select(table).where(table.c.study_uid.in_(study_uids)).order_by(table.c.position)
        ):
            made.setdefault(row.study_uid, {})[row.tag] = _decode(row.attribute)
            last[row.study_uid] = row.at
        studies = connection.execute(
            sa.select(tables.studies)
            .where(tables.studies.c.study_uid.in_(study_uids))
            .order_by(tables.studies.c.study_uid)
        ).mappings()
        found = [dict(row) for row in studies]
        told = self._told(connection, {row["patient_key"] for row in found})
        for study in found:
            uid = study["study_uid"]
            held = corrected.get(uid)
            original = fixed_members(held["original"] if held else study["fixed"])
            by_feed = told.get(study["patient_key"])
            said = _of_patient(by_feed, original, mixed=study["mixed"]) if by_feed else {}
            own = made.get(uid, {})
            at = max(last.get(uid, 0), by_feed["at"] if by_feed and said.keys() - own else 0)
            changes: Members = {**said, **own}
            if changes:
                changes[ORIGINAL_ATTRIBUTES] = provenance(at, "CORRECT" if own else "COERCE")
            before: Members = _decode(held["changes"]) if held else {}
            if changes != before or pending:
                self._write(connection, study, (original, before, changes), revision, pending)

    def _write(
        self,
        connection: Connection,
        study: dict[str, Any],
        told: tuple[dict[int, bytes], Members, Members],
        revision: int,
        pending: bool,
    ) -> None:
        original, before, changes = told
        tables, uid = self._tables, study["study_uid"]
        members = dict(original)
        for name, attribute in changes.items():
            if (tag := int(name, 16)) in _KEPT:
                members[tag] = b'"%s":%s' % (name.encode(), _encode(attribute))
        study["fixed"] = packed_members(dict(sorted(members.items())))
        columns = _columns(members, {int(name, 16) for name in (*before, *changes)})
        study |= columns
        values = columns | {"fixed": study["fixed"], "json": study_json(study)}
        if pending:
            values["pending"] = study["held_count"] > 0
        elif study["manifest_entry"]:
            values |= {"pending": True, "outdated": True}
        connection.execute(
            tables.studies.update()
            .where(tables.studies.c.study_uid == uid)
            .values(revision=revision, **values)
        )
        connection.execute(
            tables.series.update().where(tables.series.c.study_uid == uid).values(revision=revision)
        )
        connection.execute(tables.corrected.delete().where(tables.corrected.c.study_uid == uid))
        if changes:
            connection.execute(
                tables.corrected.insert().values(
                    study_uid=uid,
                    patient_key=study["patient_key"],
                    original=packed_members(original),
                    changes=_encode(changes),
                )
            )

    def _insert(self, connection: Connection, study_uid: str, values: str, event: Recorded) -> None:
        if not values or event.shredded:
            return
        rows = [
            {
                "study_uid": study_uid,
                "tag": tag,
                "position": event.position,
                "sealed_for": str(event.sealed_for or ""),
                "at": micros(event.at),
                "attribute": _encode(attribute),
            }
            for tag, attribute in _decode(values).items()
        ]
        if rows:
            connection.execute(self._tables.corrections.insert(), rows)

    def _keep(self, connection: Connection, key: str, values: dict[str, Any], at: int) -> bool:
        """Keep what a feed tells; returns whether that is news."""
        self._any = True
        told = self._tables.told
        mine = told.c.patient_key == key
        held = connection.execute(sa.select(told).where(mine)).mappings().first()
        if held is None:
            connection.execute(told.insert().values(patient_key=key, at=at, **values))
            return True
        if all(held[name] == value for name, value in values.items()):
            return False
        connection.execute(told.update().where(mine).values(at=at, **values))
        return True

    def _overrule(self, connection: Connection, study_uids: set[str], tags: list[str]) -> None:
        """Drop corrections of what a feed tells later."""
        table = self._tables.corrections
        for part in _parts(study_uids):
            connection.execute(
                table.delete().where(table.c.study_uid.in_(part), table.c.tag.in_(tags))
            )

    def _studies_of(self, connection: Connection, key: str) -> set[str]:
        c = self._tables.studies.c
        return set(connection.execute(sa.select(c.study_uid).where(c.patient_key == key)).scalars())

    def _told(self, connection: Connection, keys: set[str]) -> dict[str, Any]:
        table = self._tables.told
        rows = connection.execute(
            sa.select(table).where(table.c.patient_key.in_(sorted(keys)))
        ).mappings()
        return {row["patient_key"]: row for row in rows}

    def _is_needed(self, connection: Connection) -> bool:
        tables = self._tables
        if not self._any:
            self._any = any(
                connection.execute(sa.select(column).limit(1)).first() is not None
                for column in (tables.told.c.patient_key, tables.corrections.c.tag)
            )
        return self._any


def _of_patient(told: Any, original: Mapping[int, bytes], *, mixed: bool) -> Members:
    """Return what a feed tells of a patient that the headers do not."""
    found: Members = {}
    for tag, (column, vr) in _TOLD.items():
        if not told[column]:
            continue
        attribute = {"vr": vr, "Value": [_name(told[column]) if vr == "PN" else told[column]]}
        if mixed or not _says(original, tag, attribute):
            found[tag] = attribute
    local = unquote(told["patient_id"].partition("^")[0])
    if local and not local.startswith(_PLACEHOLDER):
        attribute = {"vr": "LO", "Value": [local]}
        if mixed or not _says(original, PATIENT_ID, attribute):
            found[PATIENT_ID] = attribute
    return found


def _says(original: Mapping[int, bytes], tag: str, told: Mapping[str, Any]) -> bool:
    """Tell whether the header says it already; a name may have more groups than was told."""
    member = original.get(int(tag, 16))
    said = _decode(b"{" + member + b"}")[tag].get("Value", [None])[0] if member else None
    wanted = told["Value"][0]
    if told["vr"] != "PN":
        return bool(said == wanted)
    groups = said or {}
    return all(groups.get(group, "").rstrip("^ ") == text for group, text in wanted.items())


def _name(text: str) -> dict[str, str]:
    groups = (part.rstrip("^ ") for part in text.split("="))
    return {group: part for group, part in zip(_GROUPS, groups, strict=False) if part}


def _columns(members: Mapping[int, bytes], tags: set[int]) -> dict[str, Any]:
    """Return the columns of a study's row that these attributes fill."""
    found: dict[str, Any] = {}
    for tag in tags & _PLAIN.keys():
        name, most = _PLAIN[tag]
        found[name] = _text(members, tag)[:most]
    if 0x00080090 in tags:
        found["referring_keys"] = person_keys(found["referring"])
    if tags & {0x00100021, 0x00100024}:
        found["issuer"] = _text(members, 0x00100021) or _text(members, 0x00100024)
    if 0x00100010 in tags:
        keys = name_keys(found["name"])
        found |= {
            "alphabetic": keys.alphabetic,
            "ideographic": keys.ideographic,
            "latin": keys.latin[:MAX_TEXT],
            "written": keys.written[:MAX_TEXT],
            "pinyin": keys.pinyin[:MAX_TEXT],
            "initials": keys.initials[:MAX_TEXT],
        }
    return found


_PLAIN: Final = {
    0x00080020: ("study_date", MAX_SHORT),
    0x00080030: ("study_time", MAX_SHORT),
    0x00080050: ("accession", MAX_TEXT),
    0x00080090: ("referring", MAX_TEXT),
    0x00081030: ("description", MAX_TEXT),
    0x00100010: ("name", MAX_TEXT),
    0x00100020: ("patient_id", MAX_TEXT),
    0x00100030: ("birth_date", MAX_SHORT),
    0x00100040: ("sex", MAX_SHORT),
    0x00200010: ("study_id", MAX_TEXT),
}


def _text(members: Mapping[int, bytes], tag: int) -> str:
    member = members.get(tag)
    if member is None:
        return ""
    values = _decode(b"{" + member + b"}")[f"{tag:08X}"].get("Value", ())
    return "\\".join(_one(value) for value in values).replace("\x00", "")[:MAX_TEXT]


def _one(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict):
        return str(value)
    if "00400032" in value:
        return "".join(value["00400032"].get("Value", ()))  # Universal Entity ID of a domain
    return "=".join(value.get(group, "") for group in _GROUPS).rstrip("=")


def _parts(study_uids: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(study_uids)
    for start in range(0, len(ordered), _AT_ONCE):
        yield ordered[start : start + _AT_ONCE]
