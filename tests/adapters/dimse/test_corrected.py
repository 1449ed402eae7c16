"""C-GET and C-MOVE give corrected headers: dcmtk reads them, Orthanc finds by them (PS3.4 C.4)."""

import re

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless

from kernel.context import Envelope
from tests.support import modality
from tests.support.archive import instance, octets, stable
from tests.support.correcting import correct, move
from tests.support.dimse import quick
from tests.support.modality import Node
from tests.support.orthanc import orthanc
from tests.support.peers import run
from tests.support.retrieving import get, same


@pytest.fixture
def corrected(archive, filled):
    """The study A of `filled` with a Chinese name and another Patient ID."""
    correct(archive.ledger, archive.views.index, stable("A"))
    return filled


@pytest.fixture
def door(serve, archive):
    return serve(corrections=archive.views.index.corrections)


def study(name):
    return [f"StudyInstanceUID={stable(name)}", "QueryRetrieveLevel=STUDY"]


@pytest.mark.peer("dcmtk")
@pytest.mark.tender("R-6.3.4")
def test_getscu_gets_the_corrected_header(door, corrected, tmp_path):
    node = Node("PIANKU", door.port)
    modality.get(node, study("A"), tmp_path / "a")
    modality.get(node, study("B"), tmp_path / "b")
    changed = modality.by_uid(list((tmp_path / "a").iterdir()))
    assert len(changed) == 6
    for uid, ds in changed.items():
        assert (str(ds.PatientName), ds.PatientID) == ("Li^Si=李^四", "RIGHT-1")
        assert ds.PixelData == corrected[uid].PixelData
    untouched = modality.by_uid(list((tmp_path / "b").iterdir()))
    assert all(same(ds, corrected[uid]) for uid, ds in untouched.items())


@pytest.mark.peer("dcmtk")
@pytest.mark.tender("R-6.3.4")
def test_movescu_sends_the_corrected_header(door, corrected, guard):
    with modality.receiver("THIRD") as third:
        guard.destinations["THIRD"] = ("127.0.0.1", third.node.port)
        modality.move(Node("PIANKU", door.port), study("A"), "THIRD")
        got = modality.by_uid(third.files(6))
    assert {ds.PatientID for ds in got.values()} == {"RIGHT-1"}
    for ds in got.values():
        (item,) = ds.OriginalAttributesSequence
        (previous,) = item.ModifiedAttributesSequence
        assert previous.PatientID == corrected[ds.SOPInstanceUID].PatientID


@pytest.mark.peer("orthanc")
@pytest.mark.tender("R-6.3.4")
def test_orthanc_finds_by_what_was_corrected(door, archive, corrected, guard):
    """Renamed and reassigned to another Patient ID, then merged into another study."""
    move(archive.ledger, archive.views.index, stable("B"), stable("C"), (stable("B", "1"),))
    with orthanc("THIRD") as peer:
        guard.destinations["THIRD"] = ("127.0.0.1", peer.dimse_port)
        for name in ("A", "C"):
            modality.move(Node("PIANKU", door.port), study(name), "THIRD")
        find = {"Level": "Study", "Expand": True}
        (one,) = peer.call("/tools/find", {**find, "Query": {"PatientID": "RIGHT-1"}})
        assert one["PatientMainDicomTags"]["PatientName"] == "Li^Si=李^四"
        assert one["MainDicomTags"]["StudyInstanceUID"] == stable("A")
        merged = peer.call("/tools/find", {**find, "Query": {"StudyInstanceUID": stable("C")}})
        assert sum(len(peer.call(f"/studies/{m['ID']}/instances")) for m in merged) == 4
        gone = peer.call("/tools/find", {**find, "Query": {"StudyInstanceUID": stable("B")}})
        assert gone == []


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless])
def test_every_transfer_syntax_has_the_corrected_header(door, archive, syntax):
    sent = instance(1, study="Z")
    sent.compress(JPEGLSLossless, generate_instance_uid=False)
    archive.intake.store(archive.offer(octets(sent)), Envelope())
    correct(archive.ledger, archive.views.index, stable("Z"))
    ((ds,), status) = get(
        door.port, syntaxes=[syntax], QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("Z")
    )
    assert status.Status == 0
    assert ds.file_meta.TransferSyntaxUID == syntax
    assert (str(ds.PatientName), ds.PatientID) == ("Li^Si=李^四", "RIGHT-1")
    whole = sent.PixelData if syntax == JPEGLSLossless else instance(1, study="Z").PixelData
    assert ds.PixelData == whole


def test_what_cannot_be_corrected_fails_alone(door, archive, corrected):
    twice = octets(instance(9, study="A"))
    at = twice.index(b"\x10\x00\x20\x00LO")
    size = 8 + int.from_bytes(twice[at + 6 : at + 8], "little")
    archive.intake.store(archive.offer(twice[:at] + twice[at : at + size] + twice[at:]), Envelope())
    got, status = get(door.port, QueryRetrieveLevel="STUDY", StudyInstanceUID=stable("A"))
    assert {ds.PatientID for ds in got} == {"RIGHT-1"}
    assert (len(got), status.Status, status.NumberOfFailedSuboperations) == (6, 0xB000, 1)


@pytest.mark.peer("dcmtk")
def test_another_ae_title_gives_the_originals(serve, archive, corrected, guard, tmp_path):
    door = serve(
        corrections=archive.views.index.corrections, limits=quick(original_ae_title="AS_STORED")
    )
    modality.get(Node("AS_STORED", door.port), study("A"), tmp_path / "got")
    got = modality.by_uid(list((tmp_path / "got").iterdir()))
    assert all(same(ds, corrected[uid]) for uid, ds in got.items())
    assert guard.recorded[-1]["detail"] == "original"
    modality.get(Node("PIANKU", door.port), study("A"), tmp_path / "new")
    assert "original" not in guard.recorded[-1]["detail"]
    assert not modality.echo(Node("OTHER", door.port), check=False)
    assert not modality.echo(Node("", serve().port), check=False)


@pytest.mark.peer("dcmtk", "dicom3tools")
def test_a_validator_finds_nothing_new(door, archive, corrected, tmp_path):
    """Dciodvfy tells of a corrected file what it tells of the stored one."""
    modality.get(Node("PIANKU", door.port), study("A"), tmp_path / "new")
    new = modality.by_uid(list((tmp_path / "new").iterdir()))
    uid, ds = next(iter(new.items()))
    pydicom.dcmwrite(tmp_path / "new.dcm", ds, enforce_file_format=True)
    (tmp_path / "old.dcm").write_bytes(archive.blobs.read(archive.stored()[uid]))
    assert findings(tmp_path / "new.dcm") <= findings(tmp_path / "old.dcm")


def findings(path):
    told = run("dciodvfy", "-new", str(path), check=False).stdout
    assert "CTImage" in told
    return {line for line in told.splitlines() if re.match(r"(Error|Warning)", line)}
