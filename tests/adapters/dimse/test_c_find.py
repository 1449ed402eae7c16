"""C-FIND with pynetdicom and a peer that breaks the rules (PS3.4 C.4.1)."""

import time

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from adapters.dimse import c_find, encode
from kernel.context import Envelope
from kernel.refusals import Unavailable
from tests.support.archive import OpenGuard, instance, octets, stable
from tests.support.dimse import pdata, quick, raw_peer, status_of
from tests.support.retrieving import get, move

STUDY_FIND = str(StudyRootQueryRetrieveInformationModelFind)


def find(
    port,
    keys,
    model=StudyRootQueryRetrieveInformationModelFind,
    syntax=ExplicitVRLittleEndian,
    cancel_after=0,
    **more,
):
    """Ask with pynetdicom; returns the answers and the final status."""
    ae = AE("WS")
    ae.add_requested_context(model, syntax)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert assoc.is_established
    query = Dataset()
    for keyword, value in {**keys, **more}.items():
        setattr(query, keyword, value)
    answers = []
    status = None
    for response, identifier in assoc.send_c_find(query, model):
        status = response.Status if response else None
        if identifier is not None:
            answers.append(identifier)
            if cancel_after and len(answers) == cancel_after:
                assoc.send_c_cancel(1, query_model=model)
    assoc.release()
    return answers, status


@pytest.mark.parametrize(
    ("keys", "studies"),
    [
        ({}, "ABC"),
        ({"PatientID": "PAT-A"}, "AB"),
        ({"PatientID": "PAT-*"}, "ABC"),
        ({"PatientID": "PAT-?"}, "ABC"),
        ({"PatientName": "WANG*"}, "C"),
        ({"PatientName": "wang^xiaoming"}, "C"),
        ({"StudyDate": "20260101-20261231"}, "AC"),
        ({"StudyDate": "-20251231"}, "B"),
        ({"StudyDate": "20250101"}, "B"),
        ({"ModalitiesInStudy": "MR"}, "C"),
        ({"AccessionNumber": "ACC-B"}, "B"),
        ({"StudyInstanceUID": [stable("A"), stable("C")]}, "AC"),
        ({"StudyInstanceUID": stable("B")}, "B"),
        ({"PatientID": "NOBODY"}, ""),
    ],
)
def test_studies_are_matched(serve, filled, keys, studies):
    answers, status = find(
        serve().port, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "", **keys}
    )
    assert {a.StudyInstanceUID for a in answers} == {stable(s) for s in studies}
    assert status == 0


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_an_answer_holds_what_was_asked_for_and_no_more(serve, filled, syntax):
    keys = {
        "QueryRetrieveLevel": "STUDY",
        "StudyInstanceUID": stable("A"),
        "PatientName": "",
        "StudyDate": "",
        "NumberOfStudyRelatedInstances": "",
        "NumberOfStudyRelatedSeries": "",
        "ModalitiesInStudy": "",
        "AdmissionID": "",
    }
    ((answer,), _) = find(serve().port, keys, syntax=syntax)
    assert set(answer.dir()) - set(keys) == {
        "SpecificCharacterSet",
        "RetrieveAETitle",
        "InstanceAvailability",
    }
    assert answer.PatientName == "Test^Archive"
    assert (answer.NumberOfStudyRelatedInstances, answer.NumberOfStudyRelatedSeries) == (6, 2)
    assert answer.ModalitiesInStudy == "CT"
    assert answer.RetrieveAETitle == "PIANKU"
    assert "AdmissionID" in answer
    assert not answer.AdmissionID


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (None, "ISO_IR 192"),
        ("ISO_IR 192", "ISO_IR 192"),
        ("ISO_IR 100", "ISO_IR 192"),
        ("GB18030", "GB18030"),
        ("GBK", "GBK"),
    ],
)
def test_the_character_set_of_the_answer(serve, filled, asked, told):
    keys = {
        "QueryRetrieveLevel": "STUDY",
        "StudyInstanceUID": stable("C"),
        "PatientName": "",
        "StudyDescription": "",
    }
    ((answer,), _) = find(serve().port, {"SpecificCharacterSet": asked, **keys} if asked else keys)
    assert answer.SpecificCharacterSet == told
    assert str(answer.PatientName) == "Wang^Xiaoming=王^小明"
    assert answer.StudyDescription == "胸部"


@pytest.mark.parametrize("charset", ["ISO_IR 192", "GB18030"])
@pytest.mark.tender("R-6.2.4.1")
def test_chinese_names_are_found(serve, filled, charset):
    keys = {
        "SpecificCharacterSet": charset,
        "QueryRetrieveLevel": "STUDY",
        "PatientName": "王*",
        "StudyInstanceUID": "",
    }
    answers, _ = find(serve().port, keys)
    assert [a.StudyInstanceUID for a in answers] == [stable("C")]


def test_patients(serve, filled):
    answers, status = find(
        serve().port,
        {
            "QueryRetrieveLevel": "PATIENT",
            "PatientID": "",
            "PatientName": "",
            "NumberOfPatientRelatedStudies": "",
            "NumberOfPatientRelatedInstances": "",
        },
        PatientRootQueryRetrieveInformationModelFind,
    )
    assert status == 0
    assert {
        (a.PatientID, a.NumberOfPatientRelatedStudies, a.NumberOfPatientRelatedInstances)
        for a in answers
    } == {("PAT-A", 2, 8), ("PAT-C", 1, 2)}


def test_series_and_images(serve, filled):
    port = serve().port
    series, _ = find(
        port,
        {
            "QueryRetrieveLevel": "SERIES",
            "StudyInstanceUID": stable("A"),
            "SeriesInstanceUID": "",
            "Modality": "",
            "NumberOfSeriesRelatedInstances": "",
        },
    )
    assert {(s.SeriesInstanceUID, s.NumberOfSeriesRelatedInstances) for s in series} == {
        (stable("A", "1"), 3),
        (stable("A", "2"), 3),
    }
    images, _ = find(
        port,
        {
            "QueryRetrieveLevel": "IMAGE",
            "StudyInstanceUID": stable("A"),
            "SeriesInstanceUID": stable("A", "2"),
            "SOPInstanceUID": "",
            "InstanceNumber": "",
            "SOPClassUID": "",
            "PatientID": "",
        },
    )
    assert {i.SOPInstanceUID for i in images} == {
        u for u, ds in filled.items() if ds.SeriesInstanceUID == stable("A", "2")
    }
    assert {i.PatientID for i in images} == {"PAT-A"}
    assert sorted(i.InstanceNumber for i in images) == [3, 4, 5]


def test_a_query_sees_what_was_just_stored(serve, archive):
    port = serve().port
    for n in range(5):
        archive.intake.store(archive.offer(octets(instance(n, size=8))), Envelope())
        answers, _ = find(
            port,
            {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": stable("A"), "SOPInstanceUID": ""},
        )
        assert len(answers) == n + 1


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"PatientID": "X"}, 0xA900),
        ({"QueryRetrieveLevel": "PLANET"}, 0xA900),
        ({"QueryRetrieveLevel": "PATIENT"}, 0xA900),
        ({"QueryRetrieveLevel": "STUDY", "StudyDate": "20261-"}, 0xA900),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_bad_queries_are_named(serve, filled, keys, word):
    answers, status = find(serve().port, keys)
    assert (answers, status) == ([], word)


def test_octets_that_are_no_identifier(serve):
    receiver = serve()
    rq = encode.command({0x0002: STUDY_FIND, 0x0100: 0x0020, 0x0110: 1, 0x0700: 0, 0x0800: 0})
    for bad in (b"\xff" * 40, b"\x08\x00\x52\x00CS\xff\xff", b"", bytes(8)):
        with raw_peer(receiver.port) as peer:
            peer.associate(STUDY_FIND)
            peer.send(pdata(1, 3, rq) + pdata(1, 2, bad))
            assert status_of(peer.pdu()) == 0xA900


def test_an_endless_identifier_is_cut_off(serve):
    with raw_peer(serve(limits=quick(max_identifier=100_000)).port) as peer:
        peer.associate(STUDY_FIND)
        peer.send(
            pdata(1, 3, encode.command({0x0002: STUDY_FIND, 0x0100: 0x0020, 0x0110: 1, 0x0800: 0}))
        )
        with pytest.raises(OSError):  # noqa: PT012
            for _ in range(1000):
                peer.send(pdata(1, 0, b"x" * 16000))


def test_too_many_answers_end_as_out_of_resources(serve, filled):
    answers, status = find(
        serve(limits=quick(max_results=2)).port,
        {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""},
    )
    assert (len(answers), status) == (2, 0xA700)


def test_a_query_can_be_cancelled(serve, archive, monkeypatch):
    archive.intake.store_many(
        [archive.offer(octets(instance(n, size=2))) for n in range(300)], Envelope()
    )
    real = c_find.encode_answer
    monkeypatch.setattr(
        c_find, "encode_answer", lambda *a, **k: (time.sleep(0.005), real(*a, **k))[1]
    )
    answers, status = find(
        serve().port,
        {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": stable("A"), "SOPInstanceUID": ""},
        cancel_after=3,
    )
    assert status == 0xFE00
    assert 3 <= len(answers) < 300


def test_what_a_caller_may_not_do(serve, filled):
    guard = OpenGuard(denied={"find", "get", "move"})
    guard.destinations["THIRD"] = ("127.0.0.1", 1)
    port = serve(guard=guard).port
    assert find(port, {"QueryRetrieveLevel": "STUDY"}) == ([], 0x0124)
    assert get(port, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A"))[1].Status == 0x0124
    assert (
        move(port, "THIRD", QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A")).Status
        == 0x0124
    )


def test_nothing_is_told_when_it_cannot_be_recorded(serve, filled):
    guard = OpenGuard()
    guard.record = lambda *_, **__: (_ for _ in ()).throw(Unavailable("audit"))
    port = serve(guard=guard).port
    assert find(port, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}) == ([], 0xA700)
    got, status = get(port, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A"))
    assert (got, status.Status) == ([], 0xA701)
