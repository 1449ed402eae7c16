"""C-MOVE to destinations that are dead, slow, rude or refuse: counts and statuses (PS3.4 C.4.2)."""

import threading
import time

import pytest

from adapters.dimse import c_find, decode, encode
from adapters.dimse.decode import ProposedContext, UserInformation
from kernel.context import Envelope
from tests.support import raw_destination
from tests.support.archive import instance, octets, stable
from tests.support.damaged_pdus import FIND, GET, MOVE
from tests.support.dimse import CT, EXPLICIT, IMPLICIT, RawPeer, pdata, quick
from tests.support.raw_destination import RawDestination

COUNT = 4


@pytest.fixture
def study(archive):
    """Images of half a megabyte, more than the sockets' buffers hold together."""
    sets = [instance(n, study="M", size=512) for n in range(COUNT)]
    archive.intake.store_many([archive.offer(octets(ds)) for ds in sets], Envelope())
    return [str(ds.SOPInstanceUID) for ds in sets]


@pytest.fixture
def destination(guard):
    made = []

    def start(behaviour, **options):
        made.append(RawDestination(behaviour, **options))
        guard.destinations["THIRD"] = ("127.0.0.1", made[-1].port)
        return made[-1]

    yield start
    for one in made:
        one.close()


def identifier(level, **uids):
    """Return an identifier in implicit VR."""
    values = [(0x00080052, level.encode().ljust(len(level) + len(level) % 2))]
    values += [(int(tag[1:], 16), uid.encode()) for tag, uid in uids.items()]
    return b"".join(
        (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
        + (len(value) + len(value) % 2).to_bytes(4, "little") + value + b"\0" * (len(value) % 2)
        for tag, value in values
    )  # fmt: skip


STUDY = identifier("STUDY", x0020000D=stable("M"))


class Asking(RawPeer):
    """A workstation that asks with octets."""

    def __init__(self, port, sop_class):
        super().__init__(port)
        self.sop_class = sop_class
        contexts = [ProposedContext(1, sop_class, (IMPLICIT,)), ProposedContext(3, CT, (EXPLICIT,))]
        user = UserInformation(16384, "1.2.3", "RAW", ((CT, False, True),))
        self.send(encode.associate_request("PIANKU", "RAW", contexts, user))
        assert self.pdu()[:1] == b"\x02"

    def ask(self, data=STUDY, **more):
        field = {FIND: 0x20, MOVE: 0x21, GET: 0x10}[self.sop_class]
        elements = {0x0002: self.sop_class, 0x0100: field, 0x0110: 7, 0x0700: 0, 0x0800: 0}
        if field == 0x21:
            elements[0x0600] = "THIRD"
        self.send(pdata(1, 3, encode.command(elements)) + pdata(1, 2, data))

    def cancel(self):
        command = encode.command({0x0100: 0x0FFF, 0x0120: 7, 0x0800: 0x0101})
        self.send(pdata(1, 3, command))

    def command(self):
        """Return the next command set, passing over data sets."""
        while pdu := self.pdu():
            assert pdu[0] == 4, pdu[:10]
            if pdu[11] & 1:
                length = int.from_bytes(pdu[6:10], "big")
                return decode.command(pdu[12 : 10 + length])
        return None

    def final(self):
        """Return the status and the counts of the final response."""
        while (command := self.command()) is not None:
            status = decode.number(command, 0x0900)
            if status not in {0xFF00, -1}:
                return status, tuple(decode.number(command, e) for e in (0x1021, 0x1022, 0x1023))
        return None


@pytest.mark.parametrize(
    ("behaviour", "status", "counts"),
    [
        ("silent", 0xA702, (0, COUNT, 0)),
        ("rejects", 0xA702, (0, COUNT, 0)),
        ("refuses_contexts", 0xA702, (0, COUNT, 0)),
        ("closes_at_once", 0xA702, (0, COUNT, 0)),
        ("says_nonsense", 0xA702, (0, COUNT, 0)),
        ("aborts_after_one", 0xB000, (1, COUNT - 1, 0)),
        ("closes_inside_the_second", 0xB000, (1, COUNT - 1, 0)),
        ("never_reads", 0xA702, (0, COUNT, 0)),
        ("never_answers", 0xA702, (0, COUNT, 0)),
        ("answers_nonsense", 0xA702, (0, COUNT, 0)),
    ],
)
def test_a_move_to_a_bad_destination_is_told_truly(
    serve, study, destination, behaviour, status, counts
):
    destination(getattr(raw_destination, behaviour), window=4096)
    peer = Asking(serve().port, MOVE)
    peer.ask()

    assert peer.final() == (status, counts)
    # And the association goes on.
    peer.ask(identifier("STUDY", x0020000D="1.2.3"))
    assert peer.final()[0] == 0
    peer.close()


def test_a_destination_that_is_not_there(serve, study, guard, destination):
    destination(raw_destination.stores).close()
    peer = Asking(serve().port, MOVE)
    peer.ask()

    assert peer.final() == (0xA702, (0, COUNT, 0))
    peer.close()


def test_what_a_destination_says_of_each_is_counted(serve, study, destination):
    words = [0, 0xA700, 0xB007, 0xC001]
    destination(lambda line: raw_destination.stores(line, status=lambda n: words[n]))
    peer = Asking(serve().port, MOVE)
    peer.ask()

    assert peer.final() == (0xB000, (1, 2, 1))
    peer.close()


def test_a_destination_that_refuses_one_class_gets_the_others(serve, archive, study, destination):
    other = instance(9, study="M", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    archive.intake.store(archive.offer(octets(other)), Envelope())

    def picky(line):
        line.accept(result=lambda uid: 0 if uid == CT else raw_destination.REFUSE)
        while (taken := line.take()) is not None:
            line.answer(*taken)

    destination(picky)
    peer = Asking(serve().port, MOVE)
    peer.ask()

    assert peer.final() == (0xB000, (COUNT, 1, 0))
    peer.close()


def test_a_move_is_cancelled_in_the_middle(serve, study, destination):
    third = destination(lambda line: raw_destination.stores(line, pause=0.4))
    peer = Asking(serve().port, MOVE)
    peer.ask()
    time.sleep(0.2)
    peer.cancel()

    status, counts = peer.final()
    assert status == 0xFE00
    assert 0 < counts[0] < COUNT
    assert counts[1:] == (0, 0)
    peer.close()
    third.close()
    assert third.lines[0].ended_by in {"release", "abort"}


def test_a_destination_is_let_go_when_the_one_who_asked_leaves(serve, study, destination):
    third = destination(lambda line: raw_destination.stores(line, pause=0.3))
    peer = Asking(serve().port, MOVE)
    peer.ask()
    time.sleep(0.1)
    peer.send(encode.abort(0, 0))
    peer.close()

    third.close()
    assert third.lines[0].ended_by == "abort"


def test_a_get_is_cancelled_in_the_middle(serve, study):
    peer = Asking(serve().port, GET)
    peer.ask()
    first = peer.command()
    assert decode.number(first, 0x0100) == 0x0001
    peer.cancel()
    _finish_data(peer)
    peer.send(_stored(first))

    status, counts = peer.final()
    assert (status, counts) == (0xFE00, (1, 0, 0))
    peer.close()


def test_a_find_is_cancelled_in_the_middle(serve, archive, monkeypatch):
    monkeypatch.setattr(c_find, "_PAGE", 1)
    sets = [instance(n, study=f"F{n}", size=2) for n in range(12)]
    archive.intake.store_many([archive.offer(octets(ds)) for ds in sets], Envelope())
    real, held = archive.views.searches.find, threading.Event()

    def slow(search, *, policy):
        held.wait(0.1)
        return real(search, policy=policy)

    monkeypatch.setattr(archive.views.searches, "find", slow)
    peer = Asking(serve().port, FIND)
    peer.ask(identifier("STUDY", x0020000D=""))
    assert decode.number(peer.command(), 0x0900) == 0xFF00
    peer.cancel()

    assert peer.final()[0] == 0xFE00
    peer.ask(identifier("STUDY", x0020000D=stable("F1")))
    assert peer.final()[0] == 0
    peer.close()


def test_a_cancel_of_nothing_is_passed_over(serve, study):
    peer = Asking(serve().port, FIND)
    peer.cancel()
    peer.ask()
    assert peer.final()[0] == 0
    peer.cancel()
    peer.ask()
    assert peer.final()[0] == 0
    peer.close()


def test_who_retrieves_and_never_reads_is_cut_off(serve, study):
    receiver = serve(limits=quick(stall_seconds=0.5))
    peer = Asking(receiver.port, GET)
    peer.ask()
    deadline = time.monotonic() + 10
    while any(thread.name == "dimse" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "he is waited for still"
        time.sleep(0.1)
    peer.close()


def test_who_reads_an_octet_now_and_then_is_cut_off(serve, study):
    receiver = serve(limits=quick(stall_seconds=0.6, slow_grace_seconds=1.0, slow_rate=100_000))
    peer = Asking(receiver.port, GET)
    peer.ask()
    deadline = time.monotonic() + 15
    while any(thread.name == "dimse" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "he is waited for still"
        peer.sock.recv(4000)
        time.sleep(0.1)
    peer.close()


def _finish_data(peer):
    """Read the rest of the data set on its way."""
    while True:
        pdu = peer.pdu()
        assert pdu[0] == 4
        if pdu[11] == 2:
            return


def _stored(request):
    return pdata(3, 3, encode.command({
        0x0002: CT, 0x0100: 0x8001, 0x0120: decode.number(request, 0x0110), 0x0800: 0x0101,
        0x0900: 0, 0x1000: decode.text(request, 0x1000),
    }))  # fmt: skip
