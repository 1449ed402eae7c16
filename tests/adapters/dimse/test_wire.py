"""Sending many pieces at once, to a peer that takes them slowly or not at all."""

import random
import socket
import ssl
import threading

import pytest

from adapters.dimse.limits import Limits
from adapters.dimse.messages import Messages
from adapters.dimse.wire import PeerClosed, PeerStalled, Wire
from tests.support.certificates import authority


@pytest.fixture
def pair():
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    listener.close()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_pieces_arrive_whole_and_in_order_however_few_the_kernel_takes(pair):
    ours, theirs = pair
    chance = random.Random(4)
    parts = [chance.randbytes(chance.choice((0, 1, 6, 700, 30_000))) for _ in range(2000)]
    expected, received = b"".join(parts), bytearray()

    def read():
        while len(received) < len(expected) and (got := theirs.recv(chance.randrange(1, 60_000))):
            received.extend(got)

    reader = threading.Thread(target=read)
    reader.start()
    Wire(ours, Limits()).send_parts(list(parts))
    reader.join(20)
    assert bytes(received) == expected


def test_a_peer_that_takes_nothing_is_given_up(pair):
    wire = Wire(pair[0], Limits(stall_seconds=0.2))
    with pytest.raises(PeerStalled):
        wire.send_parts([bytes(1 << 20)] * 40)


def test_a_peer_that_is_gone_is_told(pair):
    pair[1].close()
    wire = Wire(pair[0], Limits())

    def send_on():
        for _ in range(10):
            wire.send_parts([bytes(1 << 16)] * 4)

    with pytest.raises(PeerClosed):
        send_on()


@pytest.mark.parametrize("size", [0, 1, 1017, 1018, 1019, 5000])
def test_a_data_set_goes_out_in_pdus_the_peer_can_take(pair, size):
    ours, theirs = pair
    sender = Messages(Wire(ours, Limits()), Limits(), peer_max_pdu=1030)
    receiver = Messages(Wire(theirs, Limits()), Limits(), peer_max_pdu=0)
    command = bytes.fromhex("00000000040000000a000000") + bytes.fromhex("00000001020000003000")
    octets = random.Random(size).randbytes(size)
    chunks = [octets[:700], octets[700:]] if size > 700 else [octets]
    sender.send_dataset(3, command, chunks, size)
    ours.shutdown(socket.SHUT_WR)
    assert receiver.read_command()[0] == 3
    if size:
        assert receiver.read_dataset(3) == octets


def test_what_tls_says_of_its_own_is_no_message(pair, tmp_path):
    """Session tickets, key updates and half a record: nobody waits for the rest of a message."""
    pki = authority(tmp_path)
    here, there = pair
    server = pki.issue("pianku").server_context(pki.certificate)
    client = ssl.create_default_context(cafile=str(pki.certificate))
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    peer = server.wrap_bio(incoming, outgoing, server_side=True)
    secured = client.wrap_socket(here, do_handshake_on_connect=False, server_hostname="localhost")
    shaking = threading.Thread(target=secured.do_handshake)
    shaking.start()
    while True:
        incoming.write(there.recv(1 << 16))
        try:
            peer.do_handshake()
            break
        except ssl.SSLWantReadError:
            there.sendall(outgoing.read())
    there.sendall(outgoing.read())  # two session tickets
    shaking.join(5)
    wire = Wire(secured, Limits(stall_seconds=20.0))
    assert not wire.wait(0.1)
    peer.write(b"a whole message")
    record = outgoing.read()
    there.sendall(record[:9])
    assert not wire.wait(0.1)
    there.sendall(record[9:])
    assert wire.wait(5)
    assert wire.wait(0)
    assert bytes(wire.take(15)) == b"a whole message"
    there.close()
    assert wire.wait(5)
    with pytest.raises(PeerClosed):
        wire.take(1)
    wire.drop()


def test_a_peer_that_waits_for_acknowledgements_has_them_at_once(pair):
    """Nagle's algorithm on his side: a second small piece goes out when the first is answered."""
    ours, theirs = pair
    wire = Wire(ours, Limits())
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    theirs.sendall(b"command")
    assert bytes(wire.take(7)) == b"command"
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1
