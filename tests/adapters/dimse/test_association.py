"""Associations with strangers: wrong titles, garbage, silence, aborts at every step."""

import contextlib
import random
import socket
import struct
import time
from contextlib import suppress

import pytest

from adapters.dimse import decode, encode
from adapters.dimse.decode import ProposedContext, UserInformation
from kernel.refusals import Unavailable
from tests.adapters.dimse.test_c_store import dataset_of, left_over, send
from tests.support.archive import OpenGuard, instance, octets
from tests.support.dimse import (
    CT,
    ECHO,
    EXPLICIT,
    RawPeer,
    pdata,
    quick,
    raw_peer,
    request,
    status_of,
    store_request,
)


def rejection(pdu):
    assert pdu[:1] == b"\x03", pdu
    return tuple(pdu[7:10])


def test_an_unknown_called_title_is_rejected(receive):
    with raw_peer(receive().port) as peer:
        assert rejection(peer.associate(called="OTHER")) == (1, 1, 7)
        assert peer.is_closed()


def test_an_unknown_calling_title_is_rejected(receive):
    with raw_peer(receive(guard=OpenGuard(titles={"CT1"})).port) as peer:
        assert rejection(peer.associate(calling="STRANGER")) == (1, 1, 3)


def test_a_guard_that_cannot_answer_is_a_moment_of_congestion(receive):
    guard = OpenGuard()
    guard.ae_subject = lambda *_: (_ for _ in ()).throw(Unavailable())
    with raw_peer(receive(guard=guard).port) as peer:
        assert rejection(peer.associate()) == (2, 3, 1)


def test_a_foreign_application_context_is_rejected(receive):
    with raw_peer(receive().port) as peer:
        peer.send(request().replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2"))
        assert rejection(peer.pdu()) == (1, 1, 2)


def test_a_foreign_protocol_version_is_rejected(receive):
    with raw_peer(receive().port) as peer:
        pdu = bytearray(request())
        pdu[6:8] = b"\x00\x02"
        peer.send(bytes(pdu))
        assert rejection(peer.pdu()) == (1, 2, 2)


def test_too_many_associations_are_rejected_for_now(receive):
    receiver = receive(limits=quick(max_associations=2, idle_seconds=20.0))
    held = [RawPeer(receiver.port) for _ in range(2)]
    for peer in held:
        assert peer.associate()[:1] == b"\x02"
    with raw_peer(receiver.port) as peer:
        assert rejection(peer.associate()) == (2, 3, 2)
    for peer in held:
        peer.close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with raw_peer(receiver.port) as peer:
            if peer.associate()[:1] == b"\x02":
                return
        time.sleep(0.1)
    pytest.fail("places were not given back")


def test_contexts_nobody_offers_are_answered_one_by_one(receive):
    with raw_peer(receive().port) as peer:
        contexts = [
            ProposedContext(1, CT, (EXPLICIT,)),
            ProposedContext(3, "1.2.840.10008.5.1.1.9", (EXPLICIT,)),
            ProposedContext(5, CT, ("1.2.840.10008.1.2.4.94",)),
            ProposedContext(7, ECHO, ("1.2.840.10008.1.2",)),
        ]
        peer.send(
            encode.associate_request("PIANKU", "RAW", contexts, UserInformation(0, "1.2", "R"))
        )
        accept = decode.associate_accept(peer.pdu()[6:])
        assert [(c.id, c.result) for c in accept.contexts] == [(1, 0), (3, 3), (5, 4), (7, 0)]
        assert accept.user.max_pdu == quick().max_pdu


@pytest.mark.parametrize(
    "octets_",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 100,
        b"\x01\x00\x7f\xff\xff\xff" + b"\0" * 100,
        b"\x01\x00\x00\x00\x00\x04abcd",
        b"\x04\x00\x00\x00\x00\x04abcd",
        b"\x05\x00\x00\x00\x00\x04\0\0\0\0",
        b"\x01\x00\x00\x00\x00\x80" + b"\xff" * 128,
    ],
)
def test_garbage_instead_of_a_request_is_aborted(receive, octets_):
    receiver = receive()
    with raw_peer(receiver.port) as peer:
        peer.send(octets_)
        assert peer.pdu()[:1] == b"\x07"
        assert peer.is_closed()
    assert send(receiver.port, instance(1)) == [0]


def test_silence_and_dripping_are_cut_off(receive):
    receiver = receive(limits=quick(artim_seconds=0.6))
    with raw_peer(receiver.port) as silent, raw_peer(receiver.port) as dripping:
        started = time.monotonic()
        pdu = request()
        with suppress(OSError):
            for n in range(40):
                dripping.send(pdu[n : n + 1])
                time.sleep(0.05)
        assert silent.is_closed()
        assert time.monotonic() - started < 5
    assert send(receiver.port, instance(1)) == [0]


def test_an_idle_association_is_aborted(receive):
    with raw_peer(receive(limits=quick(idle_seconds=0.5)).port) as peer:
        peer.associate()
        assert peer.pdu()[:1] == b"\x07"


def test_a_sender_that_stops_inside_a_data_set_is_aborted(receive, archive):
    with raw_peer(receive(limits=quick(stall_seconds=0.5)).port) as peer:
        peer.associate()
        peer.send(pdata(1, 3, store_request("1.2.3")) + pdata(1, 0, b"x" * 5000))
        assert peer.pdu()[:1] == b"\x07"
    assert left_over(archive) == []


def test_a_sender_that_drips_a_data_set_is_aborted(receive, archive):
    limits = quick(slow_grace_seconds=0.5, slow_rate=10_000)
    with raw_peer(receive(limits=limits).port) as peer:
        peer.associate()
        peer.send(pdata(1, 3, store_request("1.2.3")))
        with pytest.raises(OSError):  # noqa: PT012 - somewhere in the loop
            for _ in range(100):
                peer.send(pdata(1, 0, b"xx"))
                time.sleep(0.05)
    assert left_over(archive) == []


@pytest.mark.parametrize(
    "bad",
    [
        struct.pack(">BBL", 4, 0, 2 << 20),  # longer than we said we take
        struct.pack(">BBL", 4, 0, 0),  # no fragment at all
        struct.pack(">BBL", 4, 0, 12)
        + struct.pack(">LBB", 100, 1, 3)
        + bytes(6),  # fragment longer than PDU
        struct.pack(">BBL", 4, 0, 12)
        + struct.pack(">LBB", 1, 1, 3)
        + bytes(6),  # fragment shorter than its head
        struct.pack(">BBL", 4, 0, 4) + bytes(4),
        struct.pack(">BBL", 9, 0, 4) + bytes(4),  # no such PDU
        struct.pack(">BBL", 2, 0, 4) + bytes(4),  # an answer to nothing
        struct.pack(">BBL", 6, 0, 4) + bytes(4),
        request(),  # a second request
        pdata(99, 3, store_request("1.2.3")),  # no such context
        pdata(1, 2, b"data before any command"),
        pdata(1, 3, b"\xff" * 20),  # no command set
        pdata(1, 3, encode.command({0x0002: CT, 0x0110: 1, 0x0800: 0x0101})),  # names no command
        pdata(1, 3, store_request("1.2.3")) + pdata(3, 2, b"other context"),
        pdata(1, 3, store_request("1.2.3")) + pdata(1, 3, store_request("1.2.4")),
    ],
)
def test_what_breaks_the_protocol_is_aborted_and_leaves_nothing(receive, archive, bad):
    receiver = receive()
    with raw_peer(receiver.port) as peer:
        assert peer.associate(CT, ECHO)[:1] == b"\x02"
        peer.send(bad)
        assert peer.pdu()[:1] == b"\x07"
        assert peer.is_closed()
    assert left_over(archive) == []
    assert send(receiver.port, instance(1)) == [0]


def test_an_endless_data_set_is_cut_off(receive, archive):
    with raw_peer(receive(limits=quick(max_dataset=100_000)).port) as peer:
        peer.associate()
        peer.send(pdata(1, 3, store_request("1.2.3")))
        with pytest.raises(OSError):  # noqa: PT012
            for _ in range(1000):
                peer.send(pdata(1, 0, b"x" * 16000))
    assert left_over(archive) == []


@pytest.mark.parametrize("how", ["abort", "release", "reset", "close"])
@pytest.mark.parametrize("cut", [0, 3, 40, 190, 300, 5000, -1])
def test_the_end_at_any_step_leaves_nothing(receive, archive, how, cut):
    receiver = receive()
    data = dataset_of(octets(instance(1)))
    whole = (
        request(CT)
        + pdata(1, 3, store_request(instance(1).SOPInstanceUID))
        + pdata(1, 0, data[:4000])
        + pdata(1, 0, data[4000:])
    )
    with raw_peer(receiver.port) as peer:
        peer.send(whole[:cut] if cut >= 0 else whole)
        if how == "abort":
            peer.send(encode.abort(0, 0))
        elif how == "release":
            peer.send(encode.RELEASE_RQ)
        elif how == "reset":
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    receiver.stop()
    assert left_over(archive) == []
    assert archive.stored() == {}


def test_random_damage_never_stops_the_receiver(receive, archive):
    chance = random.Random(20261124)
    receiver = receive(limits=quick(artim_seconds=0.3, stall_seconds=0.3, idle_seconds=0.3))
    data = dataset_of(octets(instance(1, size=16)))
    whole = (
        request(CT)
        + pdata(1, 3, store_request(instance(1, size=16).SOPInstanceUID))
        + pdata(1, 2, data)
        + encode.RELEASE_RQ
    )
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with raw_peer(receiver.port) as peer, contextlib.suppress(OSError):
            peer.send(bytes(damaged[: chance.randrange(1, len(damaged))]))
    assert send(receiver.port, instance(5)) == [0]
    receiver.stop()
    assert left_over(archive) == []


def test_release_is_answered(receive):
    with raw_peer(receive().port) as peer:
        peer.associate()
        peer.send(encode.RELEASE_RQ)
        assert peer.pdu() == encode.RELEASE_RP
        assert peer.is_closed()


def test_echo(receive):
    with raw_peer(receive().port) as peer:
        peer.associate(ECHO)
        peer.send(
            pdata(1, 3, encode.command({0x0002: ECHO, 0x0100: 0x0030, 0x0110: 5, 0x0800: 0x0101}))
        )
        assert status_of(peer.pdu()) == 0
