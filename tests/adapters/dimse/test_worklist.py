"""The modality worklist over sockets: matching and return keys, and what takes a step off it.

PS3.4 K.6.1; the modality is pynetdicom.
"""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import ModalityWorklistInformationFind

from kernel.context import Envelope
from kernel.ledger.ports import Append, StreamAppend
from projections.worklist.view import Worklist
from registry.orders.values import Order
from registry.patients.events import PatientAbsorbed
from registry.studies import commands as studies
from tests.support.archive import AUTHORITY, instance, octets, stable
from workflows.place_orders import PlaceOrders

ORDERS = {
    "A": {"modality": "CT", "station_ae": "CT1", "starts": "20260301093000"},
    "B": {"modality": "MR", "station_ae": "MR1", "starts": "20260301140000",
          "name": "Wang^Xiaoming=王^小明"},
    "C": {"modality": "CT", "station_ae": "CT2", "starts": "20260302080000", "performing": "Li^Si"},
}  # fmt: skip


@pytest.fixture
def port(serve, archive):
    for study, told in ORDERS.items():
        place(archive, study, **told)
    return serve(worklist=Worklist(archive.views.database)).port


def place(archive, study, **told):
    order = Order(
        **{
            "local_id": f"PAT-{study}", "authority": AUTHORITY, "name": f"Test^{study}",
            "birth_date": "19700102", "sex": "O", "accession": f"ACC-{study}",
            "procedure_id": f"RP-{study}", "procedure": f"Scan {study}", "step_id": f"SPS-{study}",
            **told,
        }
    )  # fmt: skip
    PlaceOrders(archive.ledger, archive.patient_keys).place(stable(study), order)


def query(port, *, step=None, status=0x0000, **keys):
    asked = Dataset()
    asked.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in {"AccessionNumber": "", "PatientName": "", **keys}.items():
        setattr(asked, keyword, value)
    item = Dataset()
    for keyword, value in ({"Modality": ""} if step is None else step).items():
        setattr(item, keyword, value)
    asked.ScheduledProcedureStepSequence = [item]
    ae = AE("CT1")
    ae.add_requested_context(ModalityWorklistInformationFind)
    association = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert association.is_established
    answers = list(association.send_c_find(asked, ModalityWorklistInformationFind))
    association.release()
    assert answers[-1][0].Status == status
    return [identifier for _, identifier in answers if identifier is not None]


def accessions(port, **keys):
    return [one.AccessionNumber for one in query(port, **keys)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, "ABC"),
        ({"step": {"Modality": "CT"}}, "AC"),
        ({"step": {"Modality": "CT", "ScheduledStationAETitle": "CT2"}}, "C"),
        ({"step": {"ScheduledProcedureStepStartDate": "20260301"}}, "AB"),
        ({"step": {"ScheduledProcedureStepStartDate": "20260302-"}}, "C"),
        ({"step": {"ScheduledProcedureStepStartDate": "-20260301"}}, "AB"),
        ({"step": {"ScheduledProcedureStepStartDate": "20260301-20260302",
                   "ScheduledProcedureStepStartTime": "0900-1200"}}, "A"),
        ({"step": {"ScheduledPerformingPhysicianName": "li*"}}, "C"),
        ({"step": {"ScheduledProcedureStepID": "SPS-B"}}, "B"),
        ({"step": {}}, "ABC"),
        ({"PatientID": "PAT-A"}, "A"),
        ({"PatientName": "wang*"}, "B"),
        ({"PatientName": "王*"}, "B"),
        ({"AccessionNumber": "ACC-?"}, "ABC"),
        ({"StudyInstanceUID": [stable("A"), stable("C")]}, "AC"),
        ({"RequestedProcedureID": "RP-C"}, "C"),
        ({"PatientID": "NOBODY"}, ""),
        ({"AdmissionID": "X"}, ""),
    ],
)  # fmt: skip
def test_matching(port, keys, expected):
    assert accessions(port, **keys) == [f"ACC-{one}" for one in expected]


def test_what_is_asked_for_is_returned_and_nothing_else(port):
    (one,) = query(
        port, PatientID="PAT-B", PatientBirthDate="", RequestedProcedureDescription="",
        AdmissionID="", ReferencedStudySequence=[],
        step={"ScheduledProcedureStepStartTime": "", "ScheduledStationAETitle": ""},
    )  # fmt: skip
    assert one.PatientName == "Wang^Xiaoming=王^小明"
    assert (one.PatientBirthDate, one.RequestedProcedureDescription) == ("19700102", "Scan B")
    assert (one.AdmissionID, list(one.ReferencedStudySequence)) == ("", [])
    (step,) = one.ScheduledProcedureStepSequence
    assert {e.keyword: e.value for e in step} == {
        "ScheduledStationAETitle": "MR1",
        "ScheduledProcedureStepStartTime": "140000",
    }
    assert "StudyInstanceUID" not in one


def test_an_empty_sequence_item_asks_for_the_whole_step(port):
    (one,) = query(port, PatientID="PAT-A", step={})
    (step,) = one.ScheduledProcedureStepSequence
    assert step.ScheduledProcedureStepStatus == "SCHEDULED"
    assert (step.ScheduledProcedureStepID, step.Modality) == ("SPS-A", "CT")


def test_answers_in_the_character_set_that_was_asked_in(port):
    (one,) = query(port, PatientID="PAT-B", SpecificCharacterSet="GB18030")
    assert one.SpecificCharacterSet == "GB18030"
    assert one.PatientName.ideographic == "王^小明"


def test_images_start_a_step_and_a_complete_study_ends_it(port, archive):
    archive.intake.store_many([archive.offer(octets(instance(1, study="A")))], Envelope())
    (one,) = query(port, PatientID="PAT-A", step={"ScheduledProcedureStepStatus": ""})
    assert one.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus == "STARTED"
    study, version = archive.ledger.fold(
        studies.study_stream(stable("A")), studies.NOTHING, studies.fold
    )
    archive.ledger.append(studies.complete(study, version, Envelope()))
    assert accessions(port) == ["ACC-B", "ACC-C"]
    # Who asks for what ended by its status is told.
    ended = {"ScheduledProcedureStepStatus": "COMPLETED"}
    assert accessions(port, step=ended) == ["ACC-A"]


def test_a_cancelled_order_is_off_the_worklist(port, archive):
    PlaceOrders(archive.ledger, archive.patient_keys).cancel(stable("B"))
    assert accessions(port) == ["ACC-A", "ACC-C"]
    assert accessions(port, step={"ScheduledProcedureStepStatus": "CANCELED"}) == ["ACC-B"]


def test_a_merged_patient_is_scheduled_under_the_surviving_identifier(port, archive):
    facts = [r.fact for r in archive.ledger.read(0, 1000)]
    key = next(f.patient_key for f in facts if getattr(f, "study_uid", "") == stable("A"))
    survivor = next(f.patient_key for f in facts if getattr(f, "study_uid", "") == stable("B"))
    fact = PatientAbsorbed(
        patient_key=survivor, subsumed=key, patient_id=f"PAT-B^^^&{AUTHORITY}&ISO"
    )
    archive.ledger.append(Append((StreamAppend(survivor, (fact,), patient_key=survivor),)))
    assert accessions(port, PatientID="PAT-B") == ["ACC-A", "ACC-B"]


def test_what_an_order_says_of_a_person_is_sealed(port, archive):
    raw = (archive.folder / "facts.db").read_bytes()
    wal = archive.folder / "facts.db-wal"
    raw += wal.read_bytes() if wal.exists() else b""
    assert stable("B").encode() in raw
    assert b"Xiaoming" not in raw


def test_who_may_not_find_is_refused(port, guard):
    guard.denied = {"find"}
    assert query(port, status=0x0124) == []


def test_a_query_is_recorded_before_it_is_answered(port, guard):
    query(port, PatientID="PAT-B")
    (told,) = [one for one in guard.recorded if one["transaction"] == "MWL C-FIND"]
    assert (told["count"], len(told["patient_keys"])) == (1, 1)
