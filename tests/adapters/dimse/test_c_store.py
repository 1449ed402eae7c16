"""C-STORE with decent and less decent peers: octets as sent, words of the standard, nothing left."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)
from pynetdicom import AE

from adapters.dimse import encode
from adapters.dimse.endpoint import DimseServer
from registry.studies.events import InstanceRefused, InstancesStored
from repository.tiers.ports import StorageUnavailable
from tests.support import peers
from tests.support.archive import OpenGuard, instance, octets, stable
from tests.support.dimse import CT, ECHO, EXPLICIT, pdata, quick, raw_peer, status_of, store_request


def dataset_of(part10):
    return part10[132 + 12 + int.from_bytes(part10[140:144], "little") :]


def send(port, *datasets, calling="MODALITY"):
    """Send with pynetdicom; returns the status words."""
    ae = AE(calling)
    for ds in datasets:
        ae.add_requested_context(ds.SOPClassUID, ds.file_meta.TransferSyntaxUID)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert assoc.is_established
    try:
        return [assoc.send_c_store(ds).Status for ds in datasets]
    finally:
        assoc.release()


def left_over(archive):
    return [
        p
        for p in (archive.folder / "blobs" / "incoming").rglob("*")
        if p.is_file() and p.name != ".lock"
    ]


def raw_store(peer, part10, sop_uid, *, context=1, size=16000):
    data = dataset_of(part10)
    peer.send(pdata(context, 3, store_request(sop_uid)))
    for start in range(0, len(data), size):
        part = data[start : start + size]
        peer.send(pdata(context, 2 if start + size >= len(data) else 0, part))


def test_dcmtk_stores_a_folder(receive, archive, guard, tmp_path):
    peers.peer("dcmtk")
    folder = tmp_path / "send"
    folder.mkdir()
    sent = {}
    for n in range(12):
        ds = instance(n, study="AB"[n % 2])
        (folder / f"{n}.dcm").write_bytes(octets(ds))
        sent[ds.SOPInstanceUID] = octets(ds)
    receiver = receive()
    peers.run("echoscu", "-aec", "PIANKU", "127.0.0.1", str(receiver.port))
    peers.run(
        "storescu", "-aec", "PIANKU", "-aet", "CT1", "+sd", "127.0.0.1", str(receiver.port), folder
    )
    stored = archive.stored()
    assert stored.keys() == sent.keys()
    for uid, key in stored.items():
        assert dataset_of(archive.blobs.read(key)) == dataset_of(sent[uid])
    receiver.stop()
    assert [(r["who"], r["action"], r["count"]) for r in guard.recorded] == [
        ("ECHOSCU", "echo", 1),
        ("CT1", "store", 12),
    ]
    assert set(guard.recorded[1]["study_uids"]) == {stable("A"), stable("B")}
    assert all(
        r.envelope.source == "CT1" and r.envelope.protocol == "dimse"
        for r in archive.ledger.read(0)
        if isinstance(r.fact, InstancesStored)
    )


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEG2000Lossless],
)
def test_every_transfer_syntax_is_kept_as_sent(receive, archive, syntax):
    ds = instance(1)
    if syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian:
        ds.PixelData = encapsulate([b"\xff\x4f\xff\x51" + bytes(100)])
        ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        ds["PixelData"].VR = "OW"
    assert send(receive().port, ds) == [0]
    (event,) = archive.facts(InstancesStored)
    assert event.transfer_syntaxes == (syntax,)


def test_private_sop_classes_go_by_policy(receive, archive):
    ds = instance(1, SOPClassUID="1.3.12.2.1107.5.9.1")
    assert send(receive().port, ds) == [0]
    refusing = receive(limits=quick(private_sop_classes=False))
    ae = AE("X")
    ae.add_requested_context(ds.SOPClassUID)
    assoc = ae.associate("127.0.0.1", refusing.port, ae_title="PIANKU")
    assert not assoc.accepted_contexts
    assoc.abort()


def test_many_associations_at_once(receive, archive):
    port = receive().port

    def one(n):
        return send(port, *[instance(k, study=str(n), size=16) for k in range(10)])

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, range(6))) == [[0] * 10] * 6
    assert len(archive.stored()) == 60


def test_the_same_instance_again_is_a_success(receive, archive):
    port = receive().port
    assert send(port, instance(1), instance(1)) == [0, 0]
    assert len(archive.facts(InstancesStored)) == 1


def test_other_content_under_the_same_uid_is_refused_and_traceable(receive, archive, guard):
    receiver = receive()
    assert send(receiver.port, instance(1), instance(1, StudyID="other")) == [0, 0x0111]
    (refused,) = archive.facts(InstanceRefused)
    assert archive.blobs.quarantined(refused.offered_sha256).exists()
    receiver.stop()
    assert [(r["outcome"], r["count"]) for r in guard.recorded] == [("success", 1), ("failed", 1)]


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"StudyInstanceUID": None}, 0xC000),
        ({"SeriesInstanceUID": ""}, 0xC000),
        ({"StudyInstanceUID": "../../etc/passwd"}, 0xC000),
        ({"SeriesInstanceUID": "1.2.3/4"}, 0xC000),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_unusable_uids_in_the_data_set(receive, archive, attributes, word):
    ds = instance(1, **attributes)
    part10 = octets(ds)
    with raw_peer(receive().port) as peer:
        peer.associate(CT)
        raw_store(peer, part10, ds.SOPInstanceUID)
        assert status_of(peer.pdu()) == word
        raw_store(peer, octets(instance(2)), instance(2).SOPInstanceUID)
        assert status_of(peer.pdu()) == 0
    assert list(archive.stored()) == [instance(2).SOPInstanceUID]
    assert left_over(archive) == []


@pytest.mark.parametrize(
    ("uid", "sop_class", "word"),
    [
        ("../../../tmp/x", CT, 0xC000),
        ("", CT, 0xC000),
        ("1." * 40, CT, 0xC000),
        ("1.2.3", CT, 0xA900),
        (None, "1.2.840.10008.5.1.4.1.1.4", 0xA900),
    ],
)
def test_unusable_uids_in_the_command(receive, archive, uid, sop_class, word):
    ds = instance(1)
    with raw_peer(receive().port) as peer:
        peer.associate(CT)
        peer.send(
            pdata(
                1, 3, store_request(ds.SOPInstanceUID if uid is None else uid, sop_class=sop_class)
            )
        )
        peer.send(pdata(1, 2, dataset_of(octets(ds))[:3000]))
        assert status_of(peer.pdu()) == word
    assert archive.stored() == {}
    assert left_over(archive) == []


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 5000, b"not dicom at all" * 10, bytes(range(256)) * 300]
)
def test_a_data_set_that_is_none(receive, archive, data):
    with raw_peer(receive().port) as peer:
        peer.associate(CT)
        peer.send(pdata(1, 3, store_request("1.2.3")))
        for start in range(0, max(len(data), 1), 16000):
            peer.send(pdata(1, 2 if start + 16000 >= len(data) else 0, data[start : start + 16000]))
        assert status_of(peer.pdu()) == 0xC000
    assert left_over(archive) == []


def test_a_wrong_transfer_syntax_is_not_understood(receive, archive):
    part10 = octets(instance(1, syntax=ImplicitVRLittleEndian))
    with raw_peer(receive().port) as peer:
        peer.associate(CT)  # Explicit VR
        raw_store(peer, part10, instance(1).SOPInstanceUID)
        assert status_of(peer.pdu()) == 0xC000


def test_a_long_header_is_read_from_what_came_in(receive, archive):
    # Private elements before the UIDs, longer than what is looked at first.
    ds = instance(1)
    ds.private_block(0x0009, "TEST", create=True).add_new(1, "OB", b"\1" * 300_000)
    assert send(receive().port, ds) == [0]


def test_a_full_disk_is_out_of_resources_and_the_association_goes_on(receive, archive, monkeypatch):
    port = receive().port
    real, calls = archive.blobs.incoming, []

    def full(**options):
        incoming = real(**options)
        calls.append(incoming)
        if len(calls) == 2:

            def write(chunk):
                incoming.discard()
                raise StorageUnavailable("planted")

            incoming.write = write
        if len(calls) == 3:
            incoming.discard()
            raise StorageUnavailable("planted")
        return incoming

    monkeypatch.setattr(archive.blobs, "incoming", full)
    assert send(port, *[instance(n) for n in range(4)]) == [0, 0xA700, 0xA700, 0]
    assert len(archive.stored()) == 2
    assert left_over(archive) == []


def test_a_caller_without_the_right_is_told(receive, archive):
    port = receive(guard=OpenGuard(denied={"store", "echo"})).port
    assert send(port, instance(1)) == [0x0124]
    ae = AE("X")
    ae.add_requested_context(ECHO)
    assoc = ae.associate("127.0.0.1", port, ae_title="PIANKU")
    assert assoc.send_c_echo().Status == 0x0124
    assoc.release()
    assert archive.stored() == {}


def test_unknown_operations_are_named(receive):
    with raw_peer(receive().port) as peer:
        peer.associate(CT)
        peer.send(pdata(1, 3, encode.command({0x0100: 0x0140, 0x0110: 7, 0x0800: 0x0101})))
        assert status_of(peer.pdu()) == 0x0211


def test_stop_finishes_what_is_under_way(receive, archive):
    receiver = receive()
    part10 = octets(instance(1))
    data = dataset_of(part10)
    with raw_peer(receiver.port) as peer:
        peer.associate(CT)
        peer.send(pdata(1, 3, store_request(instance(1).SOPInstanceUID)))
        peer.send(pdata(1, 0, data[:1000]))
        while not left_over(archive):
            threading.Event().wait(0.01)
        receiver.server.stop()
        threading.Event().wait(0.3)
        peer.send(pdata(1, 2, data[1000:]))
        assert status_of(peer.pdu()) == 0
        assert peer.pdu()[:1] == b"\x07"
    receiver.stop()
    assert len(archive.stored()) == 1


def test_two_receivers_share_a_socket(receive, archive, guard):
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    port = listener.getsockname()[1]
    servers = [
        DimseServer(
            ae_title="PIANKU",
            listener=listener.dup(),
            intake=archive.intake,
            blobs=archive.blobs,
            guard=guard,
            limits=quick(),
            study_index=None,
            storage_map=None,
        )
        for _ in range(2)
    ]
    threads = [threading.Thread(target=s.run) for s in servers]
    for thread in threads:
        thread.start()
    assert [send(port, instance(n)) for n in range(6)] == [[0]] * 6
    for server in servers:
        server.stop()
    for thread in threads:
        thread.join(10)
    listener.close()


def test_explicit_is_chosen_where_both_are_offered(receive):
    ae = AE("X")
    ae.add_requested_context(CT, [ImplicitVRLittleEndian, EXPLICIT])
    assoc = ae.associate("127.0.0.1", receive().port, ae_title="PIANKU")
    assert assoc.accepted_contexts[0].transfer_syntax == [EXPLICIT]
    assoc.release()
