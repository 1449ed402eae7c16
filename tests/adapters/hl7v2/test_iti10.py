"""ITI-10: a consumer is told in order, once, whatever happens to him or to us in between."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from adapters.hl7v2.framing import Deframer, framed
from adapters.hl7v2.iti10_pix_update_notification import PixUpdateNotification
from kernel.identifiers import PatientId
from registry.patients.values import Told
from server.pix_consumers import pix_consumers
from server.settings import BadSettings
from tests.adapters.hl7v2.messages import AUTHORITY, LAB
from tests.support.hl7_door import DOMAINS, SPECS
from tests.support.installation import Installation, installation, on_engine
from tests.support.peers import free_port
from workflows.notify_cross_references import NotifyCrossReferences, PixConsumer
from workflows.receive_identity_feed import IdentityFeed


class Consumer:
    """A PIX consumer: takes messages on a port and answers with the word it is told."""

    def __init__(self, port: int) -> None:
        self.taken: list[str] = []
        self.word: Callable[[int], str] = lambda _number: "AA"
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(0.1)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        number = 0
        while not self._closed.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(5)
                deframer, found = Deframer(100_000), []
                while not found and (data := connection.recv(4096)):
                    found = deframer.feed(data)
                text = found[0].decode()
                number += 1
                word = self.word(number)
                if word in {"AA", "AE"}:
                    self.taken.append(text)
                control = text.split("|")[9]
                if word:
                    answer = f"MSH|^~\\&|C|C|P|P|20260101||ACK^A31|1|P|2.5\rMSA|{word}|{control}\r"
                    connection.sendall(framed(answer.encode()))

    def told(self, count: int) -> list[str]:
        """Wait for so many messages and return the identifiers of each."""
        deadline = time.monotonic() + 15
        while len(self.taken) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.taken) >= count
        return [
            "+".join(sorted(cx.partition("^")[0] for cx in field.split("~")))
            for text in self.taken
            for line in text.split("\r")
            if line.startswith("PID")
            for field in [line.split("|")[3]]
        ]

    def close(self) -> None:
        self._closed.set()
        self._thread.join(10)
        self._listener.close()


class Notifier:
    """What tells one consumer, running."""

    def __init__(self, place: Installation, port: int, domains: frozenset[str]) -> None:
        from projections.patient_index.view import PatientIndex  # noqa: PLC0415

        consumer = PixConsumer("READER", "127.0.0.1", port, domains)
        send = PixUpdateNotification(DOMAINS, seconds=2.0)
        self._stopping = threading.Event()
        tell = NotifyCrossReferences(
            place.facts, PatientIndex(place.views), consumer, send, first_retry_seconds=0.1
        )
        self._thread = threading.Thread(target=tell.run, args=(self._stopping,))
        self._thread.start()
        time.sleep(0.3)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


class Place:
    """A feed, and a port where a consumer may listen."""

    def __init__(self, made: Installation) -> None:
        self.made = made
        self.port = free_port()
        self.feed = IdentityFeed(made.facts, made.keys, AUTHORITY)

    def link(self, hospital: str, *laboratory: str) -> None:
        ids = [PatientId(hospital, AUTHORITY), *(PatientId(one, LAB) for one in laboratory)]
        self.feed.receive(ids, Told(name="Zhang^San"))

    def notifier(self, *domains: str) -> Notifier:
        return Notifier(self.made, self.port, frozenset(domains))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Place]:
    engine: Any = on_engine(request)
    with installation(tmp_path, SPECS, **engine) as made:
        yield Place(made)


def test_changes_are_told_in_order_and_once_over_restarts(place: Place) -> None:
    place.link("P0", "L0")  # Before anybody was interested.
    notifier, consumer = place.notifier(), Consumer(place.port)
    try:
        place.link("P1", "L1")
        place.link("P1", "L2")
        assert consumer.told(2) == ["L1+P1", "L1+L2+P1"]
        notifier.stop()
        place.link("P2", "L3")
        place.feed.unlink(PatientId("P1", AUTHORITY), PatientId("L2", LAB))
        notifier = place.notifier()
        assert consumer.told(5)[2:] == ["L3+P2", "L2", "L1+P1"]
        time.sleep(0.3)
        assert len(consumer.taken) == 5
    finally:
        notifier.stop()
        consumer.close()


def test_a_consumer_that_is_away_is_told_when_he_is_back(place: Place) -> None:
    notifier = place.notifier()
    try:
        for number in range(3):
            place.link(f"P{number}", f"L{number}")
        time.sleep(0.5)
        consumer = Consumer(place.port)
        try:
            assert consumer.told(3) == ["L0+P0", "L1+P1", "L2+P2"]
        finally:
            consumer.close()
    finally:
        notifier.stop()


@pytest.mark.parametrize("first", ["", "AR", "nonsense"])
def test_what_is_not_taken_is_sent_again(place: Place, first: str) -> None:
    notifier, consumer = place.notifier(), Consumer(place.port)
    consumer.word = lambda number: first if number < 3 else "AA"
    try:
        place.link("P1", "L1")
        place.link("P2", "L2")
        assert consumer.told(2) == ["L1+P1", "L2+P2"]
    finally:
        notifier.stop()
        consumer.close()


def test_what_is_refused_does_not_hold_up_the_rest(place: Place) -> None:
    notifier, consumer = place.notifier(), Consumer(place.port)
    consumer.word = lambda number: "AE" if number == 1 else "AA"
    try:
        place.link("P1", "L1")
        place.link("P2", "L2")
        assert consumer.told(2) == ["L1+P1", "L2+P2"]
    finally:
        notifier.stop()
        consumer.close()


def test_only_the_domains_of_interest_are_told_and_no_name(place: Place) -> None:
    notifier, consumer = place.notifier(LAB), Consumer(place.port)
    try:
        place.link("P1", "L1")
        place.link("P1", "L2")
        assert consumer.told(2) == ["L1", "L1+L2"]
    finally:
        notifier.stop()
        consumer.close()
    message = consumer.taken[-1]
    header, event, patient, visit, _ = message.split("\r")
    assert header.split("|")[8] == "ADT^A31^ADT_A05"
    assert (event[:4], visit) == ("EVN|", "PV1||N")
    assert patient.split("|")[5] == "~^^^^^^S"
    assert f"L1^^^LAB&{LAB}&ISO" in patient
    assert "Zhang" not in message


def test_a_merge_is_told_without_the_subsumed(place: Place) -> None:
    place.link("P1", "L1")
    place.link("P2")
    notifier, consumer = place.notifier(), Consumer(place.port)
    try:
        place.feed.merge(PatientId("P1", AUTHORITY), PatientId("P2", AUTHORITY), Told())
        assert consumer.told(1)[-1] == "L1+P2"
    finally:
        notifier.stop()
        consumer.close()


def test_the_setting() -> None:
    (one, two) = pix_consumers(("READER@10.0.0.5:2575", "X@[::1]:1/1.2.3+1.2.4"))
    assert (one.name, one.host, one.port, one.domains) == ("READER", "10.0.0.5", 2575, frozenset())
    assert (two.host, two.domains) == ("::1", {"1.2.3", "1.2.4"})
    for bad in (["X"], ["X@h"], ["X@h:99999"], ["X@h:1/LAB"], ["X@h:1", "X@g:2"]):
        with pytest.raises(BadSettings):
            pix_consumers(bad)
