"""ITI-8 over real sockets: acknowledged when durable, refused in HL7's words, bad input."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapters.hl7v2 import faults
from adapters.hl7v2.framing import framed
from kernel.identifiers import PatientId
from kernel.ledger.ports import LedgerUnavailable
from kernel.refusals import Refusal, leaves
from projections.audit_trail.view import AuditQuery, AuditTrail
from tests.adapters.hl7v2.messages import AUTHORITY, adt
from tests.support.hl7_door import SPECS, Door, receive, segments
from tests.support.installation import installation, on_engine
from workflows.receive_identity_feed import IdentityFeed


@pytest.fixture(params=["sqlite", "postgresql"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Door]:
    with installation(tmp_path, SPECS, loopback_system=True, **on_engine(request)) as place:
        made = Door(place)
        try:
            yield made
        finally:
            made.close()


@pytest.mark.parametrize("version", ["2.3.1", "2.5"])
@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08"])
def test_a_feed_makes_a_patient_known(door: Door, event: str, version: str) -> None:
    answer = door.send(adt(event, version=version, control="ID-7"))
    assert answer["MSA"] == ["MSA", "AA", "ID-7"]
    assert "ERR" not in answer
    row = door.patient()
    assert row is not None
    assert row.name == "Zhang^San=张^三"
    assert (row.alphabetic, row.ideographic, row.pinyin) == ("Zhang San", "张 三", "zhangsan")
    assert (row.sex, row.birth_date, row.origin) == ("F", "19800203", "feed")


def test_the_acknowledgment_goes_back_where_it_came_from(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(framed(adt(version="2.5").encode()))
        header = receive(connection)[1:].decode().split("\r")[0].split("|")
    assert header[1] == "^~\\&"
    assert header[2:6] == ["PIANKU", "CENTRE", "HIS", "HOSP"]
    assert header[8] == "ACK^A04^ACK"
    assert header[10:12] == ["P", "2.5"]
    assert header[17] == "UNICODE UTF-8"


def test_repeats_make_no_event_and_changes_one(door: Door) -> None:
    assert door.send(adt())["MSA"][1] == "AA"
    head = door.place.facts.head()
    assert door.send(adt())["MSA"][1] == "AA"
    assert door.place.facts.head() == head
    assert door.send(adt("A08", name="Zhang^Si"))["MSA"][1] == "AA"
    assert door.place.facts.head() == head + 1
    row = door.patient()
    assert row is not None
    assert row.alphabetic == "Zhang Si"


def test_empty_keeps_and_two_quotes_remove(door: Door) -> None:
    door.send(adt())
    door.send(adt("A08", name="", birth='""', sex=""))
    row = door.patient()
    assert row is not None
    assert (row.name, row.birth_date, row.sex) == ("Zhang^San=张^三", "", "F")


def test_a_chinese_name_alone_is_ideographic(door: Door) -> None:
    door.send(adt(name="曾^小明", charset="GB18030"), "gb18030")
    row = door.patient()
    assert row is not None
    assert (row.name, row.ideographic, row.pinyin) == ("=曾^小明", "曾 小明", "zengxiaoming")


def test_the_authority_by_its_namespace_and_among_others(door: Door) -> None:
    several = f"C9^^^CARD&1.2.3&ISO~P200^^^HOSP~X1^^^OTHER~P200^^^&{AUTHORITY}&ISO"
    assert door.send(adt(patient=several))["MSA"][1] == "AA"
    assert door.patient("P200") is not None
    assert door.patient("C9") is None


@pytest.mark.parametrize(
    ("changed", "word", "error", "place"),
    [
        ({"event": "A99"}, "AR", "201", "MSH^1^9^1^2"),
        ({"kind": "ORU"}, "AR", "200", "MSH^1^9^1^1"),
        ({"processing": "X"}, "AR", "202", "MSH^1^11"),
        ({"version": "9.9"}, "AR", "203", "MSH^1^12"),
        ({"control": ""}, "AE", "101", "MSH^1^10"),
        ({"patient": ""}, "AE", "101", "PID^1^3"),
        ({"patient": '""'}, "AE", "101", "PID^1^3"),
        ({"patient": "P1^^^OTHER&1.2.3.4&ISO"}, "AE", "204", "PID^1^3^1^4"),
        ({"patient": "P1"}, "AE", "204", "PID^1^3^1^4"),
        ({"patient": f"P1^^^&{AUTHORITY}&ISO~P2^^^&{AUTHORITY}&ISO"}, "AE", "102", "PID^1^3"),
        ({"patient": f"P\\S\\1^^^&{AUTHORITY}&ISO"}, "AE", "102", "PID^1^3^1^1"),
        ({"birth": "soon"}, "AE", "102", "PID^1^7"),
        ({"birth": "19801399"}, "AE", "102", ""),
        ({"sex": "X"}, "AE", "103", "PID^1^8"),
        ({"charset": "EBCDIC"}, "AE", "102", "MSH^1^18"),
        ({"name": "N" * 2000}, "AE", "102", ""),
    ],
)
def test_what_is_refused_and_how(
    sqlite_door: Door, changed: dict[str, str], word: str, error: str, place: str
) -> None:
    head = sqlite_door.place.facts.head()
    for version in ("2.5", "2.3.1"):
        answer = sqlite_door.send(adt(**{"version": version, **changed}))
        assert answer["MSA"][1] == word
        assert answer["MSA"][2] == changed.get("control", "MSG1")
        if changed.get("version", version) == "2.5":
            assert answer["ERR"][3].startswith(f"{error}^")
            assert answer["ERR"][2] == place
        else:
            assert f"^{error}&" in answer["ERR"][1]
    assert sqlite_door.place.facts.head() == head


@pytest.fixture
def sqlite_door(tmp_path: Path) -> Generator[Door]:
    with installation(tmp_path, SPECS, loopback_system=True) as place:
        made = Door(place)
        try:
            yield made
        finally:
            made.close()


def test_no_pid_segment(sqlite_door: Door) -> None:
    text = "\r".join(adt(version="2.5").split("\r")[:2]) + "\r"
    assert sqlite_door.send(text)["ERR"][3].startswith("101^")


@pytest.mark.parametrize("garbage", ["hello", "", "PID|||P1", "MSH|", "{}", "MSH^~\\&|x"])
def test_what_is_no_message_is_answered_ar(sqlite_door: Door, garbage: str) -> None:
    answer = sqlite_door.send(garbage)
    assert answer["MSA"][1] == "AR"
    assert "100&" in answer["ERR"][1]


def test_octets_of_another_character_set(sqlite_door: Door) -> None:
    answer = sqlite_door.send(adt(version="2.5"), "gb18030")
    assert (answer["MSA"][1], answer["ERR"][2]) == ("AE", "MSH^1^18")


def test_an_oversize_message_is_answered_and_the_connection_closed(sqlite_door: Door) -> None:
    with sqlite_door.connect() as connection:
        connection.sendall(framed(adt(telephone="9" * 30_000).encode()))
        assert segments(receive(connection))["MSA"][1:3] == ["AR", "MSG1"]
        assert connection.recv(10) == b""


def test_a_half_frame_leaves_nothing(sqlite_door: Door) -> None:
    head = sqlite_door.place.facts.head()
    with sqlite_door.connect() as connection:
        connection.sendall(framed(adt().encode())[:-20])
    with sqlite_door.connect() as connection:
        connection.sendall(b"\x0b" + adt().encode()[:30])
        assert connection.recv(10) == b""  # frame_seconds
    assert sqlite_door.place.facts.head() == head
    assert sqlite_door.send(adt())["MSA"][1] == "AA"


def test_octets_that_are_not_mllp(sqlite_door: Door) -> None:
    with sqlite_door.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" * 6000)
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(10) == b""
    assert sqlite_door.send(adt())["MSA"][1] == "AA"


def test_many_messages_on_one_connection_in_pieces(sqlite_door: Door) -> None:
    stream = b"".join(framed(adt(control=f"C{n}").encode()) for n in range(20))
    with sqlite_door.connect() as connection:
        for at in range(0, len(stream), 37):
            connection.sendall(stream[at : at + 37])
        answers = b""
        while answers.count(b"\x1c\r") < 20:
            answers += connection.recv(65536)
    echoed = [part.split("|")[2] for part in answers.decode().split("\r") if part[:3] == "MSA"]
    assert echoed == [f"C{n}" for n in range(20)]


def test_connections_are_limited(sqlite_door: Door) -> None:
    held = [sqlite_door.connect() for _ in range(4)]
    time.sleep(0.2)
    with sqlite_door.connect() as one_more, contextlib.suppress(ConnectionResetError):
        assert one_more.recv(10) == b""
    for connection in held:
        connection.close()


def test_senders_at_once_on_one_patient(door: Door) -> None:
    def work(number: int) -> None:
        answers.append(door.send(adt("A08", telephone=str(number)))["MSA"][1])

    answers: list[str] = []
    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {"AA", "AE"}
    assert "AA" in answers
    assert door.patient() is not None


def test_every_message_is_an_access_event(sqlite_door: Door) -> None:
    sqlite_door.send(adt())
    sqlite_door.send(adt(sex="X"))
    key = sqlite_door.place.keys.key(PatientId("P100", AUTHORITY))
    trail = AuditTrail(sqlite_door.place.views)
    done = trail.search(AuditQuery(patient_key=key), policy=sa.true())
    (row,) = done.items
    assert (row.action, row.outcome, row.transaction) == ("feed", "success", "ITI-8")
    assert (row.subject, row.protocol, row.source) == ("loopback", "mllp", "HIS")
    refused = trail.search(AuditQuery(outcome="failed"), policy=sa.true())
    assert [r.detail for r in refused.items] == ["hl7_table_value"]


def test_a_sender_without_a_grant_is_refused(tmp_path: Path) -> None:
    with installation(tmp_path, SPECS) as place:
        made = Door(place)
        try:
            answer = made.send(adt(version="2.5"))
            assert (answer["MSA"][1], answer["ERR"][3][:4]) == ("AR", "207^")
            place.administration.allow_ae("HIS", ["127.0.0.0/8"], ["feed"])
            place.guard.directory.refresh()
            assert made.send(adt())["MSA"][1] == "AA"
            place.administration.allow_ae("HIS", ["127.0.0.0/8"], ["store"])
            place.guard.directory.refresh()
            assert made.send(adt())["MSA"][1] == "AR"
        finally:
            made.close()


def test_no_record_no_acknowledgment(sqlite_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_batch: object) -> None:
        raise LedgerUnavailable("disk full")

    monkeypatch.setattr(sqlite_door.place.access, "append_soon", full)
    assert sqlite_door.send(adt())["MSA"][1] == "AR"


def test_a_bug_is_answered_without_its_words(
    sqlite_door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("Zhang San")

    monkeypatch.setattr(IdentityFeed, "receive", broken)
    answer = sqlite_door.send(adt())
    assert answer["MSA"][1] == "AE"
    assert "Zhang" not in str(answer)


def test_every_refusal_has_a_word() -> None:
    for kind in leaves(Refusal):
        if not kind.__module__.startswith(("kernel", "registry", "repository", "adapters.hl7v2")):
            continue
        refusal = kind.__new__(kind)
        Refusal.__init__(refusal, "no")
        refusal.at = ""  # what a MessageRefused has besides
        answer = faults.acknowledgment(refusal)
        assert answer.code in {"AE", "AR"}
        assert answer.error.isdigit()


def test_stop_ends_idle_connections(sqlite_door: Door) -> None:
    with sqlite_door.connect() as connection:
        connection.sendall(framed(adt().encode()))
        receive(connection)
        began = time.monotonic()
        sqlite_door.close()
        assert time.monotonic() - began < 3
        assert connection.recv(10) == b""


def test_a_client_certificate_stands_for_the_sender(tmp_path: Path) -> None:
    from tests.support.certificates import authority  # noqa: PLC0415

    pki = authority(tmp_path)
    server, client, stranger = (pki.issue(n) for n in ("localhost", "his", "stranger"))
    with installation(tmp_path, SPECS) as place:
        made = Door(place, tls=server.server_context(pki.certificate))
        try:
            place.administration.trust_certificate(client.fingerprint, "his", ["system"])
            place.guard.directory.refresh()
            for who, word in ((client, "AA"), (stranger, "AR"), (None, "AR")):
                context = ssl.create_default_context(cafile=str(pki.certificate))
                if who is not None:
                    context.load_cert_chain(who.certificate, who.key)
                with (
                    made.connect() as plain,
                    context.wrap_socket(plain, server_hostname="localhost") as connection,
                ):
                    connection.sendall(framed(adt().encode()))
                    assert segments(receive(connection))["MSA"][1] == word
        finally:
            made.close()
