"""What an AE title is held to: services, classes, syntaxes, places; also while it is associated.

PS3.8 7.1.1.13 (result list), 9.3.4 (rejections), PS3.7 C.5.5 (refused: not authorized).
"""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt

from adapters.dimse import encode, places
from adapters.dimse.contexts import Operation, negotiate
from adapters.dimse.decode import AssociateRequest, ProposedContext, UserInformation
from adapters.dimse.limits import Limits
from adapters.dimse.places import Places
from adapters.dimse.sop_groups import group_of
from kernel.refusals import Unauthenticated
from registry.access.values import DIMSE_SERVICES, SOP_CLASS_GROUPS, AeLimits
from tests.support.archive import instance
from tests.support.dimse import ECHO, RawPeer, pdata, quick, raw_peer, status_of

pytestmark = pytest.mark.tender("R-6.2.4.2")

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
PRIVATE = "1.3.12.2.1107.5.9.1"


def asked(*contexts, roles=()):
    return AssociateRequest(
        1, "PIANKU", "CT1", "1.2.840.10008.3.1.1.1",
        tuple(ProposedContext(2 * n + 1, *one) for n, one in enumerate(contexts)),
        UserInformation(roles=tuple(roles)),
    )  # fmt: skip


def results(held, *contexts, roles=()):
    agreed = negotiate(asked(*contexts, roles=roles), Limits(), held)
    return [one.result for one in agreed.results]


EXPLICIT = (str(ExplicitVRLittleEndian),)


def test_a_service_that_is_not_granted_is_not_negotiated():
    held = AeLimits(services=("echo", "store"))
    proposed = [(ECHO, EXPLICIT), (str(CTImageStorage), EXPLICIT), (FIND, EXPLICIT)]
    assert results(held, *proposed) == [0, 0, 1]
    assert results(AeLimits(), *proposed) == [0, 0, 0]


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ((), [0, 0, 0]),
        (("images",), [0, 1, 1]),
        (("encapsulated-documents", "private"), [1, 0, 0]),
        ((str(CTImageStorage), PRIVATE), [0, 1, 0]),
    ],
)
def test_sop_classes_are_held_to_uids_and_groups(allowed, expected):
    proposed = [(uid, EXPLICIT) for uid in (CTImageStorage, EncapsulatedPDFStorage, PRIVATE)]
    assert results(AeLimits(sop_classes=allowed), *proposed) == expected


def test_the_first_syntax_that_is_granted_is_chosen():
    held = AeLimits(transfer_syntaxes=(str(JPEG2000Lossless),))
    both = (str(ExplicitVRLittleEndian), str(JPEG2000Lossless))
    agreed = negotiate(asked((str(CTImageStorage), both)), Limits(), held)
    assert agreed.contexts[1].transfer_syntax == JPEG2000Lossless
    assert results(held, (str(CTImageStorage), (str(ImplicitVRLittleEndian),))) == [4]
    # A query is not stored.
    assert results(held, (FIND, EXPLICIT)) == [0]


def test_who_may_not_store_may_still_receive():
    held = AeLimits(services=("get",))
    role = (str(CTImageStorage), True, True)
    agreed = negotiate(asked((str(CTImageStorage), EXPLICIT), roles=[role]), Limits(), held)
    assert not agreed.contexts[1].peer_is_scu
    assert agreed.contexts[1].peer_is_scp
    assert agreed.roles == ((str(CTImageStorage), False, True),)


def test_every_service_has_a_name_to_grant():
    assert {operation.name.lower() for operation in Operation} <= DIMSE_SERVICES


def test_every_class_has_a_group_to_grant():
    found = {group_of(str(c.abstract_syntax)) for c in AllStoragePresentationContexts}
    assert found | {"private"} == SOP_CLASS_GROUPS
    assert group_of(PRIVATE) == "private"
    for uid, group in (
        ("1.2.840.10008.5.1.4.1.1.2.1", "images"),
        ("1.2.840.10008.5.1.4.1.1.7.4", "images"),
        ("1.2.840.10008.5.1.4.1.1.77.1.6", "images"),
        ("1.2.840.10008.5.1.4.1.1.77.1.4.1", "video"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "waveforms"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "presentation-states"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "structured-reports"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "encapsulated-documents"),
        ("1.2.840.10008.5.1.4.1.1.9.100.1", "presentation-states"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "segmentations"),
        ("1.2.840.10008.5.1.4.1.1.66.8", "segmentations"),
        ("1.2.840.10008.5.1.4.1.1.66", "other"),
        ("1.2.840.10008.5.1.4.1.1.481.3", "radiotherapy"),
        ("1.2.840.10008.5.1.4.1.1.4.2", "other"),
    ):
        assert group_of(uid) == group, uid


# -- over sockets --------------------------------------------------------------------------------


def associated(port, *classes, title="CT1", handlers=(), roles=()):
    ae = AE(title)
    for uid in classes:
        ae.add_requested_context(uid, ExplicitVRLittleEndian)
    return ae.associate(
        "127.0.0.1", port, ae_title="PIANKU", evt_handlers=list(handlers), ext_neg=list(roles)
    )


def test_a_grant_that_changes_is_felt_on_open_associations(receive, guard):
    receiver = receive(limits=quick(idle_seconds=10.0))
    assoc = associated(receiver.port, CTImageStorage, ECHO)
    assert assoc.send_c_store(instance(1)).Status == 0x0000
    guard.limits["CT1"] = AeLimits(services=("echo",))
    time.sleep(0.3)
    assert assoc.send_c_store(instance(2)).Status == 0x0124
    assert assoc.send_c_echo().Status == 0x0000
    guard.limits["CT1"] = AeLimits(sop_classes=("waveforms",))
    time.sleep(0.3)
    assert assoc.send_c_store(instance(2)).Status == 0x0124
    del guard.limits["CT1"]
    time.sleep(0.3)
    assert assoc.send_c_store(instance(2)).Status == 0x0000
    assoc.release()
    denied = [one for one in guard.recorded if one["outcome"] == "denied"]
    assert [(one["action"], one["transaction"]) for one in denied] == [("associate", "C-STORE")] * 2


def test_who_is_revoked_does_nothing_more(receive, guard):
    receiver = receive(limits=quick(idle_seconds=10.0))
    assoc = associated(receiver.port, CTImageStorage, ECHO)
    assert assoc.send_c_store(instance(1)).Status == 0x0000
    guard.titles = set()
    time.sleep(0.3)
    assert assoc.send_c_store(instance(2)).Status == 0x0124
    assert assoc.send_c_echo().Status == 0x0124
    guard.titles = None
    time.sleep(0.3)
    assert assoc.send_c_echo().Status == 0x0000
    assoc.release()


def test_a_right_that_is_taken_away_is_felt_too(receive, guard):
    receiver = receive(limits=quick(idle_seconds=10.0))
    assoc = associated(receiver.port, ECHO)
    assert assoc.send_c_echo().Status == 0x0000
    real = guard.ae_subject

    def other(calling_ae, address, fingerprint=None):
        return replace(real(calling_ae, address, fingerprint), rights=frozenset())

    guard.ae_subject, guard.denied = other, {"echo"}
    time.sleep(0.3)
    assert assoc.send_c_echo().Status == 0x0124
    assoc.release()


def test_a_retrieval_needs_no_right_to_store(serve, guard, filled):
    guard.limits["WS"] = AeLimits(services=("get",))
    receiver = serve(limits=quick(idle_seconds=10.0, stall_seconds=5.0))
    got = []

    def keep(event):
        got.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    assoc = associated(
        receiver.port, GET, FIND, CTImageStorage, title="WS", handlers=[(evt.EVT_C_STORE, keep)],
        roles=[build_role(CTImageStorage, scp_role=True, scu_role=True)],
    )  # fmt: skip
    wanted = Dataset()
    wanted.QueryRetrieveLevel = "STUDY"
    wanted.StudyInstanceUID = next(
        ds.StudyInstanceUID for ds in filled.values() if ds.Modality == "MR"
    )
    final = [status.Status for status, _ in assoc.send_c_get(wanted, GET)][-1]
    assert (final, len(got)) == (0x0000, 2)
    assert [c.abstract_syntax for c in assoc.rejected_contexts] == [FIND]
    assoc.release()


def test_an_ae_title_has_the_places_it_is_given(receive, guard):
    guard.limits["CT1"] = AeLimits(max_associations=2)
    receiver = receive(limits=quick(idle_seconds=20.0))
    held = [RawPeer(receiver.port) for _ in range(2)]
    for peer in held:
        assert peer.associate(calling="CT1")[:1] == b"\x02"
    with raw_peer(receiver.port) as peer:
        assert tuple(peer.associate(calling="CT1")[7:10]) == (2, 3, 2)
    with raw_peer(receiver.port) as peer:
        assert peer.associate(calling="CT2")[:1] == b"\x02"
    held[0].close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with raw_peer(receiver.port) as peer:
            if peer.associate(calling="CT1")[:1] == b"\x02":
                break
        time.sleep(0.05)
    else:
        pytest.fail("the place was not given back")
    held[1].close()


def test_receivers_share_the_places_of_an_ae_title(receive, guard, tmp_path):
    """Another receiver process has its own `Places`; the folder is what they have in common."""
    guard.limits["CT1"] = AeLimits(max_associations=2)
    limits = quick(idle_seconds=20.0, places=tmp_path / "places")
    first, second = receive(limits=limits), receive(limits=limits)
    with raw_peer(first.port) as one, raw_peer(second.port) as two, raw_peer(second.port) as three:
        assert one.associate(calling="CT1")[:1] == b"\x02"
        assert two.associate(calling="CT1")[:1] == b"\x02"
        assert tuple(three.associate(calling="CT1")[7:10]) == (2, 3, 2)
    with raw_peer(first.port) as peer:
        assert peer.associate(calling="CT2")[:1] == b"\x02"


def test_a_place_is_free_again_when_its_process_is_gone(tmp_path):
    ours = Places(64, tmp_path / "places")
    code = (
        "import sys; from pathlib import Path; from adapters.dimse.places import Places\n"
        "held = Places(64, Path(sys.argv[1]))\n"
        "print(held.take('CT1', 1), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "places")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(places.__file__).parents[2],
    ) as other:  # fmt: skip
        assert other.stdout.readline() == b"True\n"
        assert not ours.take("CT1", 1)
        assert ours.take("CT2", 1)
        other.kill()
    assert ours.take("CT1", 1)
    assert not ours.take("CT1", 1)
    ours.give_back("CT1")
    assert ours.take("CT1", 1)


def test_a_folder_that_cannot_be_used_keeps_nobody_out(tmp_path):
    (tmp_path / "places").write_text("a file")
    ours = Places(64, tmp_path / "places")
    assert [ours.take("CT1", 2) for _ in range(3)] == [True, True, False]


def test_fifty_at_once_are_served_and_the_sixty_fifth_is_told_to_come_again(receive):
    receiver = receive(limits=Limits())
    silent = [RawPeer(receiver.port) for _ in range(30)]  # they take no place
    held = []
    try:
        for _ in range(64):
            held.append(RawPeer(receiver.port))
            assert held[-1].associate(ECHO)[:1] == b"\x02"
        with raw_peer(receiver.port) as peer:
            assert tuple(peer.associate(ECHO)[7:10]) == (2, 3, 2)
            assert peer.is_closed()
        # All of them are alive.
        echo = encode.command({0x0002: ECHO, 0x0100: 0x0030, 0x0110: 1, 0x0800: 0x0101})
        for peer in held:
            peer.send(pdata(1, 3, echo))
        assert [status_of(peer.pdu()) for peer in held] == [0] * 64
    finally:
        for peer in (*silent, *held):
            peer.close()


def test_a_stranger_is_told_so_and_not_that_it_is_full(receive, guard):
    guard.ae_subject = lambda *_: (_ for _ in ()).throw(Unauthenticated())
    receiver = receive(limits=quick(max_associations=1, idle_seconds=10.0))
    with raw_peer(receiver.port) as peer:
        assert tuple(peer.associate(calling="X")[7:10]) == (1, 1, 3)
