"""The workitems as they are searched for and reported, on both engines, live and rebuilt.

PS3.4 CC.2.3, CC.2.4 and CC.2.8.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from kernel.context import Envelope
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.workitems.matching import KeyTooComplex, matches, tree_of
from projections.workitems.projection import WorkitemsProjection
from projections.workitems.tables import Tables
from projections.workitems.view import Workitems
from registry.patients.events import PatientAbsorbed, PatientShredded
from registry.workitems.values import FILTERED, GLOBAL, Patience
from tests.support.archive import AUTHORITY, open_archive
from tests.support.postgres import drop_schema
from tests.support.steps import json_of
from tests.support.workitems import claimed, code, in_state, new_workitem, performed, progress
from workflows.identify_patient import PatientPolicy
from workflows.perform_workitems import PerformWorkitems
from workflows.report_workitems import WorkitemReports

PATIENCE = Patience(timedelta(seconds=5), timedelta(seconds=5), timedelta(hours=1))


@pytest.fixture
def archive(engine_dsn, tmp_path):
    schema = f"test_{uuid4().hex[:12]}"
    postgres = None if engine_dsn is None else (engine_dsn, schema)
    made = open_archive(tmp_path, postgres=postgres)
    yield made
    made.close()
    if engine_dsn is not None:
        drop_schema(engine_dsn, schema)


@pytest.fixture
def perform(archive):
    return PerformWorkitems(archive.ledger, archive.patient_keys, PatientPolicy(AUTHORITY))


def begin(perform, uid, study="A", **changes):
    perform.create(uid, json_of(new_workitem(study, **changes)), Envelope())


def test_workitems_are_searched_watched_and_follow_their_patient(archive, perform):
    view = Workitems(archive.views.database)

    def uids(**keys):
        told = {name.strip("_").replace("_", "."): value for name, value in keys.items()}
        found, more = view.find(told)
        assert not more
        return [one.sop_uid for one in found]

    perform.subscribe(GLOBAL, "ALL", Envelope())
    perform.subscribe(FILTERED, "SOME", Envelope(), filters={"00404025.00080100": "WS-2"})
    begin(perform, "1.1", PatientName="王^小明")
    begin(
        perform, "1.2", "B", ScheduledStationNameCodeSequence=[code("WS-2")],
        ScheduledProcedureStepStartDateTime="20260302080000",
    )  # fmt: skip
    perform.change_state("1.1", json_of(in_state("IN PROGRESS")), Envelope())
    perform.change("1.1", json_of(claimed(progress())), Envelope())
    perform.change("1.1", json_of(claimed(performed())), Envelope())
    perform.change_state("1.1", json_of(in_state("COMPLETED")), Envelope())

    assert uids() == ["1.1", "1.2"]
    assert uids(_00741000="COMPLETED") == ["1.1"]
    assert uids(_00741000="COMPLETED\\SCHEDULED") == ["1.1", "1.2"]
    assert uids(_00100020="PAT-B") == ["1.2"]
    assert uids(_00100020="PAT-?") == ["1.1", "1.2"]
    assert uids(_00100010="*小*") == ["1.1"]
    assert uids(_00404005="20260302-") == ["1.2"]
    assert uids(_00404005="-20260301") == ["1.1"]
    assert uids(_00404005="20260302") == ["1.2"]
    assert uids(_00404025_00080100="WS-2") == ["1.2"]
    assert uids(_00080018="1.1\\1.2") == ["1.1", "1.2"]
    assert uids(_00081195="*") == ["1.1", "1.2"]
    assert [one.sop_uid for one in view.find({}, offset=1, limit=1)[0]] == ["1.2"]
    assert view.find({}, limit=1)[1]
    assert view.by_uid("9.9") is None

    told = [(r.sop_uid, r.event_type) for r in view.due("ALL")]
    assert told == [
        ("1.1", 1), ("1.1", 5), ("1.2", 1), ("1.2", 5), ("1.1", 1), ("1.1", 3), ("1.1", 1),
    ]  # fmt: skip
    assert [(r.sop_uid, r.event_type) for r in view.due("SOME")] == [("1.2", 1), ("1.2", 5)]
    assert view.due_titles(datetime.now(UTC)) == ["ALL", "SOME"]
    reports = WorkitemReports(archive.ledger, view, patience=PATIENCE)
    reports.taken(view.due("ALL")[3])
    assert len(view.due("ALL")) == 3
    reports.not_taken(view.due("ALL")[0], "away")
    view.due("ALL")
    assert view.due_titles(datetime.now(UTC)) == ["SOME"]
    assert view.due_titles(datetime.now(UTC) + timedelta(seconds=6)) == ["ALL", "SOME"]

    # Merged into another, then destroyed with him; rebuilt the rows are the same.
    key = archive.patient_keys.key(PatientId("PAT-A", AUTHORITY))
    other = uuid4()
    absorbed = PatientAbsorbed(patient_key=other, subsumed=key, patient_id=f"P2^^^&{AUTHORITY}&ISO")
    archive.ledger.append(Append((StreamAppend(other, (absorbed,), patient_key=other),)))
    assert view.by_uid("1.1").patient_key == other
    assert rows(archive) == rebuilt(archive)
    destroyed = PatientShredded(patient_key=other, reason="asked")
    archive.ledger.append(Append((StreamAppend(other, (destroyed,)),)))
    assert uids() == ["1.2"]
    assert view.watched("ALL") == {"1.2": False}
    assert view.due("ALL") == []


def rows(archive):
    with archive.views.database.reading("workitems") as (connection, made):
        return contents(connection, made)


def contents(connection, tables):
    return {
        table.name.split("__")[0]: sorted(map(repr, connection.execute(table.select())))
        for table in tables.metadata.tables.values()
    }


def rebuilt(archive):
    """Return the rows of a second generation, filled with all events at once."""
    database, tables = archive.views.database, Tables("__again")
    with database.writer.begin() as connection:
        tables.metadata.create_all(connection)
        WorkitemsProjection(tables).apply(connection, archive.ledger.read(0, 10_000))
        return contents(connection, tables)


def test_matching_within_one_item_and_by_vr():
    held = {
        "00404025": {"vr": "SQ", "Value": [
            {"00080100": {"vr": "SH", "Value": ["A"]}, "00080102": {"vr": "SH", "Value": ["X"]}},
            {"00080100": {"vr": "SH", "Value": ["B"]}, "00080102": {"vr": "SH", "Value": ["Y"]}},
        ]},
        "00741004": {"vr": "DS", "Value": [50]},
        "00404005": {"vr": "DT", "Value": ["20260301101500"]},
        "00741204": {"vr": "LO", "Value": [None]},
    }  # fmt: skip

    def match(**keys):
        told = {name.strip("_").replace("_", "."): value for name, value in keys.items()}
        return matches(tree_of(told), held)

    assert match(_00404025_00080100="A", _00404025_00080102="X")
    assert not match(_00404025_00080100="A", _00404025_00080102="Y")
    assert match(_00741004="50.0")
    assert not match(_00741004="fifty")
    assert match(_00404005="20260301-20260301")
    assert not match(_00741204="x")
    assert not match(_00404010="x")
    assert match(_00404010="*")
    for key in ("*" * 17 + "a", "a" * 1025):
        with pytest.raises(KeyTooComplex):
            match(_00741204=key)
    with pytest.raises(KeyTooComplex):
        tree_of({".".join(["00404025"] * 9): "x"})
