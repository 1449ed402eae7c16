"""Two hospitals' numbers of one person: fed, cross-referenced, asked for, merged, and told of.

ITI-8, ITI-9, ITI-10 and ITI-21 over MLLP with plain sockets; ITI-18 sees the merge.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Generator
from typing import Final

import pytest

from tests.support import mllp, xds
from tests.support.peers import free_port
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

LAB: Final = "1.2.156.999.77"


class Consumer:
    """Listens for notifications, acknowledges each, and keeps what the PID segments say."""

    def __init__(self, port: int) -> None:
        self.told: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                said = b""
                while not said.endswith(b"\x1c\x0d") and (piece := connection.recv(4096)):
                    said += piece
                lines = said.strip(b"\x0b\x1c\x0d").decode().split("\r")
                self.told += [line.split("|")[3] for line in lines if line.startswith("PID")]
                control = lines[0].split("|")[9]
                ack = f"MSH|^~\\&|C||P||20260101||ACK^A31|1|P|2.5\rMSA|AA|{control}\r"
                connection.sendall(b"\x0b" + ack.encode() + b"\x1c\x0d")

    def close(self) -> None:
        self._listener.close()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 20
        while not any(text in one for one in self.told) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert any(text in one for one in self.told), self.told


@pytest.fixture(scope="module")
def consumer_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def master(engine_dsn: str | None, consumer_port: int) -> Generator[RunningPianku]:
    """An installation that knows a laboratory's identifiers too and has somebody to tell."""
    settings = {
        "PIANKU_DOMAIN__IDENTITY_DOMAINS": f"LAB={LAB}",
        "PIANKU_MLLP__PIX_CONSUMERS": f"READER@127.0.0.1:{consumer_port}",
    }
    with RunningPianku(dsn=engine_dsn, flags=("--no-load",), settings=settings) as running:
        yield running


def ask(place: RunningPianku, event: str, asked: str, rest: str = "") -> dict[str, list[str]]:
    head = "|".join(
        (r"MSH|^~\&|VIEWER|WALK|PIANKU|PIANKU|20260301101500|", f"QBP^{event}^QBP_Q21", "Q1|P|2.5",
         "", "", "", "", "", "UNICODE UTF-8")
    )  # fmt: skip
    message = f"{head}\rQPD|IHE Query|T{time.monotonic_ns()}|{asked}{rest}\rRCP|I\r"
    answer = mllp.send(place.mllp_port, message)
    return {line[:3]: line.split("|") for line in answer.split("\r") if line}


def merge(place: RunningPianku, survivor: str, subsumed: str) -> str:
    authority = place.demo["assigning_authority"]
    return mllp.send(
        place.mllp_port,
        "MSH|^~\\&|HIS|WALK|PIANKU|PIANKU|20260301101500||ADT^A40^ADT_A39|M1|P|2.3.1\r"
        f"EVN|A40|20260301101500\rPID|||{survivor}^^^&{authority}&ISO\r"
        f"MRG|{subsumed}^^^&{authority}&ISO\r",
    )


def feed(place: RunningPianku, number: str, laboratory: str = "", name: str = "Li^Si") -> None:
    authority = place.demo["assigning_authority"]
    message = mllp.admission(number, authority, name)
    if laboratory:
        own = f"{number}^^^&{authority}&ISO"
        message = message.replace(own, f"{own}~{laboratory}^^^&{LAB}&ISO")
    assert mllp.accepted(mllp.send(place.mllp_port, message))


@pytest.mark.tender("H-2")
def test_what_was_fed_is_asked_for_at_once(master: RunningPianku) -> None:
    stamp, authority = time.monotonic_ns(), master.demo["assigning_authority"]
    feed(master, f"W{stamp}", f"L{stamp}", "欧阳^行走")
    answer = ask(master, "Q23", f"L{stamp}^^^LAB", f"|^^^&{authority}&ISO")
    assert answer["MSA"][1:] == ["AA", "Q1"]
    assert answer["QAK"][2] == "OK"
    assert answer["PID"][3] == f"W{stamp}^^^&{authority}&ISO"
    unknown = ask(master, "Q23", f"X{stamp}^^^LAB")
    assert (unknown["MSA"][1], unknown["QAK"][2], unknown["ERR"][2]) == ("AE", "AE", "QPD^1^3^1^1")
    for name in ("欧阳", "ouyang", "OuY*"):
        found = ask(master, "Q22", f"@PID.5.1.1^{name}~@PID.3.1^W{stamp}")
        assert found["PID"][3].startswith(f"W{stamp}^")
        assert "欧阳^行走" in found["PID"][5]
    assert ask(master, "Q22", "@PID.5.1.1^Nobody")["QAK"][2] == "NF"
    assert ask(master, "ZV1", "@PV1.3.1^WARD")["QAK"][2] == "NF"


@pytest.mark.tender("H-2")
def test_a_merge_shows_in_stored_queries_and_submissions(master: RunningPianku) -> None:
    """Checklist 11: A40, the subsumed id is unknown, its content answers under the survivor."""
    stamp, authority = time.monotonic_ns(), master.demo["assigning_authority"]
    old, mid, new = (f"{letter}{stamp}" for letter in "ABC")
    old_cx, mid_cx, new_cx = (f"{one}^^^&{authority}&ISO" for one in (old, mid, new))
    for one in (old, mid):
        feed(master, one)
    client = SoapClient(master.http)
    document = xds.Document(b"text", old_cx, mime_type="text/plain")
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS

    assert mllp.accepted(merge(master, mid, old))
    assert mllp.accepted(merge(master, new, mid))  # The survivor was not announced before.
    assert mllp.accepted(merge(master, mid, old))  # Sent again.

    (entry,) = xds.find_documents(client, new_cx)
    assert new_cx in [
        value.get("value") for value in entry.iter() if value.tag.endswith("ExternalIdentifier")
    ]
    for subsumed in (old_cx, mid_cx):
        assert xds.find_documents(client, subsumed) == []
        late = xds.Document(b"late", subsumed, mime_type="text/plain")
        assert xds.errors(xds.provide_and_register(client, late)) == ["XDSUnknownPatientId"]
    after = xds.Document(b"after", new_cx, mime_type="text/plain")
    assert xds.status(xds.provide_and_register(client, after)) == xds.SUCCESS
    assert len(xds.find_documents(client, new_cx)) == 2
    assert not mllp.accepted(merge(master, old, new))


def test_a_consumer_is_told_and_nothing_is_lost_over_a_crash(
    master: RunningPianku, consumer_port: int
) -> None:
    stamp = time.monotonic_ns()
    feed(master, f"N{stamp}", f"M{stamp}")  # Nobody listens yet.
    master.kill()
    master.start()
    consumer = Consumer(consumer_port)
    try:
        consumer.wait_for(f"M{stamp}^^^LAB&{LAB}&ISO")
        feed(master, f"N{stamp}", f"O{stamp}")
        consumer.wait_for(f"O{stamp}")
        assert merge(master, f"S{stamp}", f"N{stamp}")
        consumer.wait_for(f"S{stamp}")
        assert f"N{stamp}" not in consumer.told[-1]
    finally:
        consumer.close()
