"""Associations that end at every step: nothing half-stored, nothing held, what was told is there."""

import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import product
from pathlib import Path

import pytest

from adapters.dimse import decode, encode
from adapters.dimse.decode import ProposedContext
from adapters.dimse.limits import Limits
from adapters.dimse.requestor import Requestor
from kernel.context import Envelope
from tests.adapters.dimse.test_c_store import dataset_of, left_over, raw_store, send
from tests.adapters.dimse.test_destinations import STUDY, Asking
from tests.support.archive import instance, octets, stable
from tests.support.damaged_pdus import FIND, GET
from tests.support.dimse import CT, ECHO, EXPLICIT, RawPeer, pdata, quick, status_of, store_request

LEAVE = ["abort", "release", "reset", "close", "half-close"]


def leave(peer, how):
    """End an association the given way."""
    with suppress(OSError):
        if how == "abort":
            peer.send(encode.abort(0, 0))
        elif how == "release":
            peer.send(encode.RELEASE_RQ)
        elif how == "reset":
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == "half-close":
            peer.sock.shutdown(socket.SHUT_WR)
            while peer.sock.recv(1 << 16):
                pass
    peer.close()


def associations():
    return [thread for thread in threading.enumerate() if thread.name == "dimse"]


def descriptors():
    """Count open files and sockets but those of the databases, which pools keep."""
    count = 0
    for one in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            count += ".db" not in str(one.readlink())
    return count


@pytest.fixture
def nothing_held(archive):
    """Prove afterwards that threads, descriptors and files of the reception are gone."""
    archive.views  # noqa: B018 - its descriptors are there from the beginning
    before = descriptors()
    yield
    deadline = time.monotonic() + 10
    while associations() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert associations() == []
    assert left_over(archive) == []
    assert descriptors() <= before + 2


@pytest.fixture
def receiver(serve, archive):
    found = serve()
    assert send(found.port, instance(99, size=8)) == [0]
    return found


@pytest.mark.parametrize("how", LEAVE)
def test_after_each_of_many_images(receiver, archive, nothing_held, how):
    acknowledged = []
    for number in range(6):
        peer = RawPeer(receiver.port)
        peer.associate(CT)
        ds = instance(number, study=how)
        raw_store(peer, octets(ds), ds.SOPInstanceUID)
        if number % 2:
            assert status_of(peer.pdu()) == 0
            acknowledged.append(ds)
        leave(peer, how)
    deadline = time.monotonic() + 10
    while associations() and time.monotonic() < deadline:
        time.sleep(0.02)

    stored = archive.stored()
    for ds in acknowledged:
        part10 = archive.blobs.read(stored[ds.SOPInstanceUID])
        assert dataset_of(part10) == dataset_of(octets(ds))
    if how in {"release", "half-close"}:
        # He sent all of it and stayed to hear: it is stored although he heard nothing.
        assert len(stored) == 7


@pytest.mark.parametrize("how", ["abort", "reset", "half-close"])
@pytest.mark.parametrize("step", ["request", "between", "inside", "before the last"])
def test_inside_a_message(receiver, archive, nothing_held, how, step):
    ds = instance(1, study="CUT")
    command, data = store_request(ds.SOPInstanceUID), dataset_of(octets(ds))
    peer = RawPeer(receiver.port)
    peer.associate(CT)
    if step == "request":
        peer.send(pdata(1, 1, command[:20]))
    else:
        peer.send(pdata(1, 3, command))
    if step == "inside":
        peer.send(pdata(1, 0, data[:1000])[:-500])
    if step == "before the last":
        peer.send(pdata(1, 0, data))
    leave(peer, how)
    time.sleep(0.05)

    assert ds.SOPInstanceUID not in archive.stored()


@pytest.fixture
def large(archive):
    sets = [instance(n, study="M", size=512) for n in range(3)]
    archive.intake.store_many([archive.offer(octets(ds)) for ds in sets], Envelope())


def test_while_answers_come(receiver, large, nothing_held):
    for how, (sop_class, reads) in product(LEAVE, ((GET, 0), (GET, 3), (FIND, 1))):
        peer = Asking(receiver.port, sop_class)
        peer.ask()
        for _ in range(reads):
            assert peer.pdu()
        leave(peer, how)


def test_a_peer_that_leaves_is_no_defect(receiver, large, nothing_held, caplog):
    for how in LEAVE:
        peer = Asking(receiver.port, GET)
        peer.ask()
        peer.pdu()
        leave(peer, how)
    deadline = time.monotonic() + 10
    while associations() and time.monotonic() < deadline:
        time.sleep(0.02)

    assert [r for r in caplog.records if r.levelname in {"ERROR", "CRITICAL"}] == []


def test_an_octet_a_moment_in_each_phase_by_many_at_once(receive, archive, nothing_held):
    limits = quick(artim_seconds=1.0, stall_seconds=1.0, slow_grace_seconds=0.8, slow_rate=2000)
    receiver = receive(limits=limits)
    ds = instance(1, study="SLOW")
    command, data = store_request(ds.SOPInstanceUID), dataset_of(octets(ds))
    phases = {
        "request": (False, encode.associate_request("PIANKU", "RAW", [
            ProposedContext(1, CT, (EXPLICIT,))], _user())),
        "command": (True, pdata(1, 3, command)),
        "data": (True, pdata(1, 3, command) + pdata(1, 2, data)),
        "head": (True, pdata(1, 3, command)[:3]),
    }  # fmt: skip

    def drip(phase):
        associates, octets_ = phases[phase]
        peer = RawPeer(receiver.port)
        began = time.monotonic()
        with suppress(OSError):
            if associates:
                assert peer.associate(CT)[:1] == b"\x02"
            for at in range(len(octets_)):
                peer.send(octets_[at : at + 1])
                time.sleep(0.05)
                if time.monotonic() - began > 20:
                    return "waited for"
            while peer.sock.recv(1 << 16):
                pass
        peer.close()
        return "cut off" if time.monotonic() - began < 20 else "waited for"

    with ThreadPoolExecutor(24) as pool:
        dripping = [pool.submit(drip, phase) for phase in [*phases] * 6]
        time.sleep(0.3)
        # Meanwhile others are served.
        began = time.monotonic()
        assert send(receiver.port, instance(2, study="SLOW")) == [0]
        assert time.monotonic() - began < 5
        assert {one.result() for one in dripping} == {"cut off"}
    assert list(archive.stored()) == [instance(2, study="SLOW").SOPInstanceUID]


@pytest.mark.tender("R-6.2.4.2")
def test_fifty_associations_at_once(serve, archive, large, nothing_held):
    receiver = serve(limits=quick(stall_seconds=20.0, idle_seconds=20.0, artim_seconds=20.0))
    together = threading.Barrier(50)

    def one(number):
        contexts = [ProposedContext(1, CT, (EXPLICIT,)), ProposedContext(3, ECHO, (EXPLICIT,))]
        with Requestor(
            ("127.0.0.1", receiver.port), called_ae="PIANKU", calling_ae=f"CT{number}",
            proposed=contexts, limits=Limits(),
        ) as peer:  # fmt: skip
            together.wait(20)
            words = []
            for n in range(3):
                ds = instance(n, study="FIFTY", series=str(number), size=16)
                peer.messages.send(1, store_request(ds.SOPInstanceUID), dataset_of(octets(ds)))
                _, answer = peer.messages.read_command()
                words.append(decode.number(answer, 0x0900))
            return words

    def other(number):
        together.wait(20)
        peer = Asking(receiver.port, FIND if number % 2 else GET)
        peer.ask(STUDY)
        try:
            if number % 2:
                return [peer.final()[0]] * 3
            # He takes one image and goes away in the middle of the next.
            return [0 if peer.pdu()[0] == 4 else -1 for _ in range(3)]
        finally:
            peer.close()

    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(lambda n: one(n) if n < 40 else other(n), range(50)))

    assert results == [[0, 0, 0]] * 50
    stored = archive.stored()
    assert all(
        stable("FIFTY", str(number), n) in stored for number in range(40) for n in range(3)
    )  # fmt: skip


def _user():
    return decode.UserInformation(16384, "1.2.3", "RAW")
