"""The performed procedure steps as they are looked for, on both engines, live and rebuilt.

PS3.4 F.
"""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from kernel.context import Envelope
from kernel.identifiers import PatientId
from kernel.ledger.ports import Append, StreamAppend
from projections.procedure_steps.projection import ProcedureStepsProjection
from projections.procedure_steps.tables import Tables
from projections.procedure_steps.view import ProcedureSteps, StepFilter
from projections.worklist.projection import WorklistProjection
from projections.worklist.tables import Tables as WorklistTables
from registry.patients.events import PatientAbsorbed, PatientShredded
from registry.procedure_steps.values import Status
from tests.support.archive import AUTHORITY, open_archive, stable
from tests.support.postgres import drop_schema
from tests.support.steps import ended_step, json_of, new_step, reason
from workflows.identify_patient import PatientPolicy
from workflows.perform_procedure_steps import PerformProcedureSteps


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
    return PerformProcedureSteps(archive.ledger, archive.patient_keys, PatientPolicy(AUTHORITY))


def begin(perform, uid, study="A", **changes):
    perform.start(uid, json_of(new_step(study, **changes)), "", Envelope())


def end(perform, uid, *images, study="A", status="COMPLETED", **changes):
    told = json_of(ended_step(*images, status=status, study=study, **changes))
    perform.change(uid, told, Envelope())


def key(archive, study="A") -> UUID:
    return archive.patient_keys.key(PatientId(f"PAT-{study}", AUTHORITY))


def found(view, **wanted):
    total, steps = view.find(StepFilter(**wanted))
    assert total == len(steps)
    return [step.sop_uid for step in steps]


def test_steps_are_found_by_study_accession_and_status_and_follow_their_patient(archive, perform):
    view = ProcedureSteps(archive.views.database)
    begin(perform, "1.1")
    begin(perform, "1.2", "B", PatientName="王^小明")
    begin(perform, "1.3")
    end(perform, "1.1", stable("A", "1", 1), stable("A", "1", 2))
    told = reason("110513")
    end(
        perform, "1.2", study="B", status="DISCONTINUED",
        PerformedProcedureStepDiscontinuationReasonCodeSequence=told,
    )  # fmt: skip

    assert found(view) == ["1.3", "1.2", "1.1"]
    assert found(view, study_uid=stable("A")) == ["1.3", "1.1"]
    assert found(view, accession="ACC-B") == ["1.2"]
    assert found(view, accession="ACC-A", status=Status.IN_PROGRESS) == ["1.3"]
    assert found(view, status=Status.COMPLETED) == ["1.1"]
    assert view.find(StepFilter(), offset=1, limit=1)[1][0].sop_uid == "1.2"
    assert {uid for uid, _ in view.owing()} == {"1.1", "1.2"}
    done = view.by_uid("1.1")
    assert (done.listed, done.is_owing, done.status) == (2, True, Status.COMPLETED)
    assert done.sop_uids() == (stable("A", "1", 1), stable("A", "1", 2))
    assert (done.study_uids, done.accessions) == ((stable("A"),), ("ACC-A",))
    assert view.by_uid("1.2").reason == "110513^DCM"
    assert view.by_uid("9.9") is None

    # Merged into another, then destroyed with him; rebuilt the rows are the same.
    other = uuid4()
    absorbed = PatientAbsorbed(
        patient_key=other, subsumed=key(archive), patient_id=f"P2^^^&{AUTHORITY}&ISO"
    )
    archive.ledger.append(Append((StreamAppend(other, (absorbed,), patient_key=other),)))
    assert view.by_uid("1.1").patient_key == other
    live = rows(archive, Tables, "performed_step")
    assert live == rebuilt(archive, Tables, ProcedureStepsProjection, "performed_step")
    destroyed = PatientShredded(patient_key=other, reason="asked")
    archive.ledger.append(Append((StreamAppend(other, (destroyed,)),)))
    assert found(view) == ["1.2"]
    assert found(view, study_uid=stable("A")) == []
    live = rows(archive, WorklistTables, "scheduled_step_performing")
    again = rebuilt(archive, WorklistTables, WorklistProjection, "scheduled_step_performing")
    assert live == again


def rows(archive, tables, name):
    view = "procedure_steps" if tables is Tables else "worklist"
    with archive.views.database.reading(view) as (connection, made):
        table = next(t for t in made.metadata.tables.values() if t.name.split("__g")[0] == name)
        return sorted(map(repr, connection.execute(table.select())))


def rebuilt(archive, make_tables, make_projection, name):
    """Return the rows of a second generation, filled with all events at once."""
    database, tables = archive.views.database, make_tables("__again")
    projection = make_projection(tables)
    events = archive.ledger.read(0, 10_000)
    with database.writer.begin() as connection:
        tables.metadata.create_all(connection)
        projection.apply(connection, events)
        table = tables.metadata.tables[f"{name}__again"]
        return sorted(map(repr, connection.execute(table.select())))
