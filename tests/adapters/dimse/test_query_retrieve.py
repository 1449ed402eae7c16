"""C-FIND, C-MOVE and C-GET with dcmtk, pynetdicom and a peer that breaks the rules."""

import threading
import time

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from adapters.dimse import encode
from kernel.context import Envelope
from tests.support import modality
from tests.support.archive import OpenGuard, instance, octets, stable
from tests.support.dimse import pdata, quick, raw_peer, status_of

STUDY_FIND = str(StudyRootQueryRetrieveInformationModelFind)
STUDY_GET = str(StudyRootQueryRetrieveInformationModelGet)
CHINESE = {"PatientName": "Wang^Xiaoming=王^小明", "PatientID": "PAT-C", "StudyDescription": "胸部"}


@pytest.fixture
def filled(archive):
    """Two studies of one patient, one of another with a Chinese name."""
    sets = [
        *[instance(n, study="A", series=str(1 + n // 3)) for n in range(6)],
        *[instance(n, study="B", PatientID="PAT-A", StudyDate="20250101") for n in range(2)],
        *[instance(n, study="C", Modality="MR", **CHINESE) for n in range(2)],
    ]
    archive.intake.store_many([archive.offer(octets(ds)) for ds in sets], Envelope())
    return {ds.SOPInstanceUID: ds for ds in sets}


def find(port, keys, model=StudyRootQueryRetrieveInformationModelFind, syntax=ExplicitVRLittleEndian, cancel_after=0, **more):
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


@pytest.mark.parametrize(("keys", "studies"), [
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
])
def test_studies_are_matched(serve, filled, keys, studies):
    answers, status = find(serve().port, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "", **keys})
    assert {a.StudyInstanceUID for a in answers} == {stable(s) for s in studies}
    assert status == 0


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_an_answer_holds_what_was_asked_for_and_no_more(serve, filled, syntax):
    keys = {
        "QueryRetrieveLevel": "STUDY", "StudyInstanceUID": stable("A"), "PatientName": "", "StudyDate": "",
        "NumberOfStudyRelatedInstances": "", "NumberOfStudyRelatedSeries": "", "ModalitiesInStudy": "",
        "AdmissionID": "",
    }
    ((answer,), _) = find(serve().port, keys, syntax=syntax)
    assert set(answer.dir()) - set(keys) == {"SpecificCharacterSet", "RetrieveAETitle", "InstanceAvailability"}
    assert answer.PatientName == "Test^Archive"
    assert (answer.NumberOfStudyRelatedInstances, answer.NumberOfStudyRelatedSeries) == (6, 2)
    assert answer.ModalitiesInStudy == "CT"
    assert answer.RetrieveAETitle == "PIANKU"
    assert "AdmissionID" in answer
    assert not answer.AdmissionID


@pytest.mark.parametrize(("asked", "told"), [
    (None, "ISO_IR 192"), ("ISO_IR 192", "ISO_IR 192"), ("ISO_IR 100", "ISO_IR 192"),
    ("GB18030", "GB18030"), ("GBK", "GBK"),
])
def test_the_character_set_of_the_answer(serve, filled, asked, told):
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": stable("C"), "PatientName": "", "StudyDescription": ""}
    ((answer,), _) = find(serve().port, {"SpecificCharacterSet": asked, **keys} if asked else keys)
    assert answer.SpecificCharacterSet == told
    assert str(answer.PatientName) == "Wang^Xiaoming=王^小明"
    assert answer.StudyDescription == "胸部"


@pytest.mark.parametrize("charset", ["ISO_IR 192", "GB18030"])
def test_chinese_names_are_found(serve, filled, charset):
    keys = {"SpecificCharacterSet": charset, "QueryRetrieveLevel": "STUDY", "PatientName": "王*", "StudyInstanceUID": ""}
    answers, _ = find(serve().port, keys)
    assert [a.StudyInstanceUID for a in answers] == [stable("C")]


def test_patients(serve, filled):
    answers, status = find(
        serve().port,
        {"QueryRetrieveLevel": "PATIENT", "PatientID": "", "PatientName": "", "NumberOfPatientRelatedStudies": "",
         "NumberOfPatientRelatedInstances": ""},
        PatientRootQueryRetrieveInformationModelFind,
    )
    assert status == 0
    assert {(a.PatientID, a.NumberOfPatientRelatedStudies, a.NumberOfPatientRelatedInstances) for a in answers} == {
        ("PAT-A", 2, 8), ("PAT-C", 1, 2)}


def test_series_and_images(serve, filled):
    port = serve().port
    series, _ = find(port, {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": stable("A"), "SeriesInstanceUID": "",
                            "Modality": "", "NumberOfSeriesRelatedInstances": ""})
    assert {(s.SeriesInstanceUID, s.NumberOfSeriesRelatedInstances) for s in series} == {
        (stable("A", "1"), 3), (stable("A", "2"), 3)}
    images, _ = find(port, {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": stable("A"),
                            "SeriesInstanceUID": stable("A", "2"), "SOPInstanceUID": "", "InstanceNumber": "",
                            "SOPClassUID": "", "PatientID": ""})
    assert {i.SOPInstanceUID for i in images} == {u for u, ds in filled.items() if ds.SeriesInstanceUID == stable("A", "2")}
    assert {i.PatientID for i in images} == {"PAT-A"}
    assert sorted(i.InstanceNumber for i in images) == [3, 4, 5]


def test_a_query_sees_what_was_just_stored(serve, archive):
    port = serve().port
    for n in range(5):
        archive.intake.store(archive.offer(octets(instance(n, size=8))), Envelope())
        answers, _ = find(port, {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": stable("A"), "SOPInstanceUID": ""})
        assert len(answers) == n + 1


@pytest.mark.parametrize(("keys", "word"), [
    ({"PatientID": "X"}, 0xA900),
    ({"QueryRetrieveLevel": "PLANET"}, 0xA900),
    ({"QueryRetrieveLevel": "PATIENT"}, 0xA900),
    ({"QueryRetrieveLevel": "STUDY", "StudyDate": "20261-"}, 0xA900),
])
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
        peer.send(pdata(1, 3, encode.command({0x0002: STUDY_FIND, 0x0100: 0x0020, 0x0110: 1, 0x0800: 0})))
        with pytest.raises(OSError):  # noqa: PT012
            for _ in range(1000):
                peer.send(pdata(1, 0, b"x" * 16000))


def test_too_many_answers_end_as_out_of_resources(serve, filled):
    answers, status = find(serve(limits=quick(max_results=2)).port, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""})
    assert (len(answers), status) == (2, 0xA700)


def test_a_query_can_be_cancelled(serve, archive, monkeypatch):
    archive.intake.store_many([archive.offer(octets(instance(n, size=2))) for n in range(300)], Envelope())
    from adapters.dimse import c_find

    real = c_find.encode_answer
    monkeypatch.setattr(c_find, "encode_answer", lambda *a, **k: (time.sleep(0.005), real(*a, **k))[1])
    answers, status = find(serve().port, {"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": stable("A"), "SOPInstanceUID": ""}, cancel_after=3)
    assert status == 0xFE00
    assert 3 <= len(answers) < 300


def test_what_a_caller_may_not_do(serve, filled):
    guard = OpenGuard(denied={"find", "get", "move"})
    guard.destinations["THIRD"] = ("127.0.0.1", 1)
    port = serve(guard=guard).port
    assert find(port, {"QueryRetrieveLevel": "STUDY"}) == ([], 0x0124)
    assert get(port, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A"))[1].Status == 0x0124
    assert move(port, "THIRD", QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A")).Status == 0x0124


def test_nothing_is_told_when_it_cannot_be_recorded(serve, filled):
    from kernel.refusals import Unavailable

    guard = OpenGuard()
    guard.record = lambda *_, **__: (_ for _ in ()).throw(Unavailable("audit"))
    port = serve(guard=guard).port
    assert find(port, {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}) == ([], 0xA700)
    got, status = get(port, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A"))
    assert (got, status.Status) == ([], 0xA701)


def get(port, *, classes=(CTImageStorage,), syntaxes=(ExplicitVRLittleEndian,), answer=0x0000, **keys):
    """Retrieve by C-GET with pynetdicom; returns data sets and the final status."""
    ae = AE("WS")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    for sop_class in classes:
        ae.add_requested_context(sop_class, list(syntaxes))
    got = []

    def store(event):
        ds = event.dataset
        ds.file_meta = event.file_meta
        got.append(ds)
        return answer

    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU", ext_neg=[build_role(c, scp_role=True) for c in classes],
                         evt_handlers=[(evt.EVT_C_STORE, store)])
    query = Dataset()
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    final = [s for s, _ in assoc.send_c_get(query, StudyRootQueryRetrieveInformationModelGet)][-1]
    assoc.release()
    return got, final


def move(port, destination, **keys):
    ae = AE("WS")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    query = Dataset()
    for keyword, value in keys.items():
        setattr(query, keyword, value)
    final = [s for s, _ in assoc.send_c_move(query, destination, StudyRootQueryRetrieveInformationModelMove)][-1]
    assoc.release()
    return final


def same(a, b):
    return {e.tag: e.value for e in a} == {e.tag: e.value for e in b}


@pytest.mark.parametrize(("keys", "expected"), [
    ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": stable("A")}, 6),
    ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": [stable("A"), stable("B")]}, 8),
    ({"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": stable("A"), "SeriesInstanceUID": stable("A", "2")}, 3),
    ({"QueryRetrieveLevel": "SERIES", "SeriesInstanceUID": stable("A", "2")}, 3),
    ({"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": stable("A"), "SeriesInstanceUID": stable("A", "1"),
      "SOPInstanceUID": [stable("A", "1", 0), stable("A", "1", 2)]}, 2),
    ({"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": stable("B"), "SOPInstanceUID": stable("A", "1", 0)}, 0),
    ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2.3"}, 0),
])
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
    got, status = get(serve().port, classes=["1.2.840.10008.5.1.4.1.1.4"], QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("B"))
    assert got == []
    assert status.Status == 0xA702
    assert status.NumberOfFailedSuboperations == 2


def test_c_get_told_of_failures(serve, filled):
    _, status = get(serve().port, answer=0xA700, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("B"))
    assert status.Status == 0xA702
    _, status = get(serve().port, answer=0xB000, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("B"))
    assert (status.Status, status.NumberOfWarningSuboperations) == (0xB000, 2)


def compressed(number, **attributes):
    ds = instance(number, study="Z", **attributes)
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    return ds


@pytest.mark.parametrize(("syntaxes", "told"), [
    ([JPEGLSLossless], JPEGLSLossless),
    ([ExplicitVRLittleEndian], ExplicitVRLittleEndian),
    ([ImplicitVRLittleEndian], ImplicitVRLittleEndian),
])
def test_instances_go_as_stored_or_uncompressed(serve, archive, syntaxes, told):
    sent = compressed(1)
    archive.intake.store(archive.offer(octets(sent)), Envelope())
    ((ds,), status) = get(serve().port, syntaxes=syntaxes, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("Z"))
    assert status.Status == 0
    assert ds.file_meta.TransferSyntaxUID == told
    if told != JPEGLSLossless:
        assert ds.PixelData == instance(1, study="Z").PixelData
    else:
        assert ds.PixelData == sent.PixelData


def test_what_cannot_be_decoded_fails_alone(serve, archive):
    from pydicom.encaps import encapsulate

    broken = instance(2, study="Z")
    broken.file_meta.TransferSyntaxUID = JPEGLSLossless
    broken.PixelData = encapsulate([b"\xff\xd8 nonsense"])
    broken["PixelData"].is_undefined_length = True
    archive.intake.store_many([archive.offer(octets(ds)) for ds in (compressed(1), broken)], Envelope())
    got, status = get(serve().port, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("Z"))
    assert [ds.InstanceNumber for ds in got] == [1]
    assert (status.Status, status.NumberOfFailedSuboperations) == (0xB000, 1)


class Destination:
    """A storage SCP of pynetdicom's."""

    def __init__(self, syntaxes, answer=0):
        self.got, self.origin = [], []
        ae = AE("THIRD")
        ae.add_supported_context(CTImageStorage, syntaxes)
        self.server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self.store)])
        self.port = self.server.server_address[1]
        self.answer = answer

    def store(self, event):
        ds = event.dataset
        ds.file_meta = event.file_meta
        self.got.append(ds)
        self.origin.append((event.request.MoveOriginatorApplicationEntityTitle, event.request.MoveOriginatorMessageID))
        return self.answer(event) if callable(self.answer) else self.answer


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
    from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelMove as PATIENT_MOVE

    ae = AE("WS")
    ae.add_requested_context(PATIENT_MOVE)
    assoc = ae.associate("127.0.0.1", serve().port, ae_title="PIANKU")
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientID = "PATIENT", "PAT-A"
    final = [s for s, _ in assoc.send_c_move(query, "THIRD", PATIENT_MOVE)][-1]
    assoc.release()
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0, 8)
    assert len(there.got) == 8


def test_c_move_to_who_takes_implicit_only(serve, archive, third):
    archive.intake.store_many([archive.offer(octets(ds)) for ds in (compressed(1), instance(2, study="Z"))], Envelope())
    there = third(ImplicitVRLittleEndian)
    status = move(serve().port, "THIRD", QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("Z"))
    assert status.Status == 0
    assert {ds.file_meta.TransferSyntaxUID for ds in there.got} == {ImplicitVRLittleEndian}
    assert {ds.InstanceNumber: ds.PixelData for ds in there.got} == {
        n: instance(n, study="Z").PixelData for n in (1, 2)}


def test_c_move_to_nobody(serve, filled, guard):
    assert move(serve().port, "NOBODY", QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A")).Status == 0xA801
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
    patients = modality.find(node, ["QueryRetrieveLevel=PATIENT", "PatientID=PAT-A", "PatientName"], model="-P")
    assert [str(p.PatientName) for p in patients] == ["Test^Archive"]
    modality.get(node, study, tmp_path / "got")
    got = [pydicom.dcmread(p) for p in (tmp_path / "got").iterdir()]
    assert len(got) == 6
    assert all(same(ds, filled[ds.SOPInstanceUID]) for ds in got)
    with modality.receiver("DCMTK3") as there:
        guard.destinations["DCMTK3"] = ("127.0.0.1", there.node.port)
        modality.move(node, study, "DCMTK3")
        assert all(same(pydicom.dcmread(p, force=True), filled[pydicom.dcmread(p, force=True).SOPInstanceUID]) for p in there.files(6))
