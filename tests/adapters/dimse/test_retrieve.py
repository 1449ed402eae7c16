"""C-GET and C-MOVE with dcmtk and pynetdicom: as stored, or uncompressed for who must (PS3.4 C.4)."""

import threading
import time

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless
from pynetdicom import AE
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelMove,
)

from kernel.context import Envelope
from tests.support import modality
from tests.support.archive import instance, octets, stable
from tests.support.retrieving import Destination, get, move, same


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": stable("A")}, 6),
        ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": [stable("A"), stable("B")]}, 8),
        (
            {
                "QueryRetrieveLevel": "SERIES",
                "StudyInstanceUID": stable("A"),
                "SeriesInstanceUID": stable("A", "2"),
            },
            3,
        ),
        ({"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": stable("A", "2")}, 3),
        (
            {
                "QueryRetrieveLevel": "IMAGE",
                "StudyInstanceUID": stable("A"),
                "SeriesInstanceUID": stable("A", "1"),
                "SOPInstanceUID": [stable("A", "1", 0), stable("A", "1", 2)],
            },
            2,
        ),
        (
            {
                "QueryRetrieveLevel": "IMAGE",
                "StudyInstanceUID": stable("B"),
                "SOPInstanceUID": stable("A", "1", 0),
            },
            0,
        ),
        ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.3"}, 0),
    ],
)
def test_c_get(serve, filled, guard, keys, expected):
    got, status = get(serve().port, **keys)
    assert len(got) == expected
    assert all(same(ds, filled[ds.SOPInstanceUID]) for ds in got)
    assert status.Status == 0
    assert status.NumberOfCompletedSuboperations == expected
    assert guard.recorded[-1]["action"] == "get"
    assert guard.recorded[-1]["count"] == expected


def test_c_get_that_names_nothing(serve, filled):
    assert get(serve().port, QueryRetrieveLevel="STUDY", PatientID="PAT-A")[1].Status == 0xA900


def test_c_get_of_what_the_peer_does_not_take(serve, filled):
    got, status = get(
        serve().port,
        classes=["1.2.840.10008.5.1.4.1.1.4"],
        QueryRetrieveLevel="STUDY",
        StudyInstanceUID=stable("B"),
    )
    assert got == []
    assert status.Status == 0xA702
    assert status.NumberOfFailedSuboperations == 2


def test_c_get_told_of_failures(serve, filled):
    _, status = get(
        serve().port, answer=0xA700, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("B")
    )
    assert status.Status == 0xA702
    _, status = get(
        serve().port, answer=0xB000, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("B")
    )
    assert (status.Status, status.NumberOfWarningSuboperations) == (0xB000, 2)


def compressed(number, **attributes):
    ds = instance(number, study="Z", **attributes)
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    return ds


@pytest.mark.parametrize(
    ("syntaxes", "told"),
    [
        ([JPEGLSLossless], JPEGLSLossless),
        ([ExplicitVRLittleEndian], ExplicitVRLittleEndian),
        ([ImplicitVRLittleEndian], ImplicitVRLittleEndian),
    ],
)
def test_instances_go_as_stored_or_uncompressed(serve, archive, syntaxes, told):
    sent = compressed(1)
    archive.intake.store(archive.offer(octets(sent)), Envelope())
    ((ds,), status) = get(
        serve().port, syntaxes=syntaxes, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("Z")
    )
    assert status.Status == 0
    assert ds.file_meta.TransferSyntaxUID == told
    if told != JPEGLSLossless:
        assert ds.PixelData == instance(1, study="Z").PixelData
    else:
        assert ds.PixelData == sent.PixelData


def test_what_cannot_be_decoded_fails_alone(serve, archive):
    broken = instance(2, study="Z")
    broken.file_meta.TransferSyntaxUID = JPEGLSLossless
    broken.PixelData = encapsulate([b"\xff\xd8 nonsense"])
    broken["PixelData"].is_undefined_length = True
    archive.intake.store_many(
        [archive.offer(octets(ds)) for ds in (compressed(1), broken)], Envelope()
    )
    got, status = get(serve().port, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("Z"))
    assert [ds.InstanceNumber for ds in got] == [1]
    assert (status.Status, status.NumberOfFailedSuboperations) == (0xB000, 1)


@pytest.fixture
def third(guard):
    made = []

    def start(*syntaxes, answer=0):
        made.append(Destination(list(syntaxes) or [ExplicitVRLittleEndian], answer))
        guard.destinations["THIRD"] = ("127.0.0.1", made[-1].port)
        return made[-1]

    yield start
    for one in made:
        one.server.shutdown()


def test_c_move(serve, filled, third, guard):
    there = third()
    status = move(serve().port, "THIRD", QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A"))
    assert (status.Status, status.NumberOfCompletedSuboperations) == (0, 6)
    assert all(same(ds, filled[ds.SOPInstanceUID]) for ds in there.got)
    assert set(there.origin) == {("WS", 1)}
    assert guard.recorded[-1]["detail"] == "THIRD"
    assert guard.recorded[-1]["study_uids"] == (stable("A"),)


def test_c_move_of_a_patient(serve, filled, third):
    there = third()
    model = PatientRootQueryRetrieveInformationModelMove
    ae = AE("WS")
    ae.add_requested_context(model)
    assoc = ae.associate("127.0.0.1", serve().port, ae_title="PIANKU")
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientID = "PATIENT", "PAT-A"
    final = [s for s, _ in assoc.send_c_move(query, "THIRD", model)][-1]
    assoc.release()
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, 8)
    assert len(there.got) == 8


def test_c_move_to_who_takes_implicit_only(serve, archive, third):
    archive.intake.store_many(
        [archive.offer(octets(ds)) for ds in (compressed(1), instance(2, study="Z"))], Envelope()
    )
    there = third(ImplicitVRLittleEndian)
    status = move(serve().port, "THIRD", QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("Z"))
    assert status.Status == 0
    assert {ds.file_meta.TransferSyntaxUID for ds in there.got} == {ImplicitVRLittleEndian}
    assert {ds.InstanceNumber: ds.PixelData for ds in there.got} == {
        n: instance(n, study="Z").PixelData for n in (1, 2)
    }


def test_c_move_to_nobody(serve, filled, guard):
    assert (
        move(
            serve().port, "NOBODY", QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A")
        ).Status
        == 0xA801
    )
    guard.destinations["GONE"] = ("127.0.0.1", 1)
    status = move(serve().port, "GONE", QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A"))
    assert (status.Status, status.NumberOfFailedSuboperations) == (0xA702, 6)


def test_c_move_when_the_destination_dies(serve, filled, third):
    def dies(event):
        if len(there.got) == 3:
            event.assoc.abort()
        return 0

    there = third(answer=dies)
    status = move(serve().port, "THIRD", QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A"))
    assert status.Status == 0xB000
    assert status.NumberOfCompletedSuboperations + status.NumberOfFailedSuboperations == 6
    assert status.NumberOfFailedSuboperations >= 3


def test_c_move_can_be_cancelled(serve, filled, third):
    there = third(answer=lambda _: (time.sleep(0.2), 0)[1])
    ae = AE("WS")
    model = StudyRootQueryRetrieveInformationModelMove
    ae.add_requested_context(model)
    assoc = ae.associate("127.0.0.1", serve().port, ae_title="PIANKU")
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", stable("A")
    threading.Timer(0.3, lambda: assoc.send_c_cancel(1, query_model=model)).start()
    final = [s for s, _ in assoc.send_c_move(query, "THIRD", model)][-1]
    assoc.release()
    assert final.Status == 0xFE00
    assert 0 < len(there.got) < 6


@pytest.mark.peer("dcmtk")
def test_dcmtk_finds_moves_and_gets(serve, filled, guard, tmp_path):
    node = modality.Node("PIANKU", serve().port)
    study = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={stable('A')}"]
    (found,) = modality.find(node, [*study, "PatientName", "NumberOfStudyRelatedInstances"])
    assert found.NumberOfStudyRelatedInstances == 6
    patients = modality.find(
        node, ["QueryRetrieveLevel=PATIENT", "PatientID=PAT-A", "PatientName"], model="-P"
    )
    assert [str(p.PatientName) for p in patients] == ["Test^Archive"]
    modality.get(node, study, tmp_path / "got")
    got = [pydicom.dcmread(p) for p in (tmp_path / "got").iterdir()]
    assert len(got) == 6
    assert all(same(ds, filled[ds.SOPInstanceUID]) for ds in got)
    with modality.receiver("DCMTK3") as there:
        guard.destinations["DCMTK3"] = ("127.0.0.1", there.node.port)
        modality.move(node, study, "DCMTK3")
        assert all(
            same(
                pydicom.dcmread(p, force=True),
                filled[pydicom.dcmread(p, force=True).SOPInstanceUID],
            )
            for p in there.files(6)
        )
