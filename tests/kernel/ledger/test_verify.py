"""Tampering with plain SQL is found, at the right position.

Design A3 (tamper evidence). Called by pytest.
"""

from __future__ import annotations

import threading
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from kernel.ledger.chain import Row, expected_hash
from kernel.ledger.ledger import EventLedger
from kernel.ledger.ports import Append, Claim, StreamAppend
from kernel.ledger.seals import BadSeal, Sealer, read_seals
from kernel.ledger.verify import verify
from server.keys import NodeSigner
from tests.kernel.ledger.samples import Engine, PatientNamed, counted

SIGNER = NodeSigner(bytes(range(32)))
NODES = {SIGNER.name: SIGNER.public_key}


@pytest.fixture
def filled(ledger: EventLedger) -> EventLedger:
    for n in range(10):
        ledger.append(counted(UUID(int=n % 3), n, claims=(Claim("uid", str(n)),)))
    named = StreamAppend(UUID(int=5), (PatientNamed(ward="W1", name="王芳"),), patient_key=uuid4())
    ledger.append(Append((named,)))
    return ledger


def rows_of(ledger: EventLedger) -> list[Row]:
    return ledger.recorder.rows(0, 1000)


def test_a_sound_ledger(filled: EventLedger) -> None:
    reached: list[int] = []
    verdict = verify(filled.recorder, progress=reached.append)
    assert verdict.ok
    assert (verdict.events, verdict.head.position, reached) == (11, 11, [11])


@pytest.mark.parametrize(
    "change",
    [
        "body = '{{\"number\":999}}'",
        "topic = 'sample.other:v1'",
        "at = at + 1",
        "version = 77",
        "envelope = '{{}}'",
        "hash = {other}",
        "stream = {other_stream}",
        "sealed = {other}",
    ],
)
def test_an_altered_event(engine: Engine, filled: EventLedger, change: str) -> None:
    on_sqlite = engine.name == "sqlite"
    other = "randomblob(32)" if on_sqlite else "sha256('x')"
    other_stream = "randomblob(16)" if on_sqlite else "gen_random_uuid()"
    change = change.replace("{other}", other).replace("{other_stream}", other_stream)
    engine.sql(f"UPDATE {{event}} SET {change} WHERE position = 7")
    finding = verify(filled.recorder).finding
    assert finding is not None
    assert finding.position == 7
    assert "altered" in finding.reason


def test_the_sealed_bytes_are_chained(engine: Engine, filled: EventLedger) -> None:
    other = "randomblob(40)" if engine.name == "sqlite" else "sha256('x')"
    engine.sql(f"UPDATE {{event}} SET sealed = {other} WHERE position = 11")
    finding = verify(filled.recorder).finding
    assert finding is not None
    assert finding.position == 11


@pytest.mark.parametrize("position", [1, 6, 11])
def test_a_missing_event(engine: Engine, filled: EventLedger, position: int) -> None:
    engine.sql("DELETE FROM {event} WHERE position = ?", position)
    finding = verify(filled.recorder).finding
    assert finding is not None
    assert (finding.position, finding.reason[:7]) == (position, "missing")


def copy_event(engine: Engine, position: int) -> None:
    """Insert a forged event at `position`: a copy of event 2 in a stream of its own."""
    columns = "topic, at, envelope, body, sealed_for, sealed, hash"
    engine.sql(
        f"INSERT INTO {{event}} (position, stream, version, {columns})"
        f" SELECT {position}, ?, 1, {columns} FROM {{event}} WHERE position = 2",
        engine.stream_value(uuid4()),
    )


@pytest.mark.parametrize("position", [-3, 0, 12, 20])
def test_an_inserted_event(engine: Engine, filled: EventLedger, position: int) -> None:
    copy_event(engine, position)
    finding = verify(filled.recorder).finding
    assert finding is not None
    assert finding.position == position
    assert "inserted" in finding.reason


def test_an_event_squeezed_between_others(engine: Engine, filled: EventLedger) -> None:
    for position in range(11, 4, -1):
        engine.sql("UPDATE {event} SET position = position + 1 WHERE position = ?", position)
    copy_event(engine, 5)
    finding = verify(filled.recorder).finding
    assert finding is not None
    assert finding.position == 5


def test_two_events_swapped(engine: Engine, filled: EventLedger) -> None:
    for old, new in ((4, 100), (5, 4), (100, 5)):
        engine.sql("UPDATE {event} SET position = ? WHERE position = ?", new, old)
    finding = verify(filled.recorder).finding
    assert finding is not None
    assert finding.position == 4


def test_an_altered_head(engine: Engine, filled: EventLedger) -> None:
    engine.sql("UPDATE {head} SET position = 14")
    finding = verify(filled.recorder).finding
    assert finding is not None
    assert finding.position == 12
    engine.sql("UPDATE {head} SET position = 9")
    finding = verify(filled.recorder).finding
    assert finding is not None
    assert finding.position == 9


def test_a_claim_that_no_event_took(engine: Engine, filled: EventLedger) -> None:
    engine.sql("UPDATE {claim} SET position = 50 WHERE key = '3'")
    finding = verify(filled.recorder).finding
    assert finding is not None
    assert "claim" in finding.reason


def test_verifying_while_appends_go_on(engine: Engine, filled: EventLedger) -> None:
    other, ended = engine.open(), threading.Event()

    def write() -> None:
        while not ended.is_set():
            other.append(counted(uuid4(), 1, claims=(Claim("uid", uuid4().hex),)))

    writer = threading.Thread(target=write)
    writer.start()
    findings = [verify(filled.recorder).finding for _ in range(60)]
    ended.set()
    writer.join()
    assert findings == [None] * 60


def rewrite(engine: Engine, ledger: EventLedger, keep: int) -> None:
    """Do what a chain alone cannot show: cut the tail and put the head right."""
    last = rows_of(ledger)[keep - 1]
    engine.sql("DELETE FROM {event} WHERE position > ?", keep)
    engine.sql("DELETE FROM {claim} WHERE position > ?", keep)
    engine.sql("UPDATE {head} SET position = ?, hash = ?, at = ?", keep, last.hash, last.at)


def test_a_seal_shows_a_cut_tail(engine: Engine, filled: EventLedger, tmp_path: Path) -> None:
    folder = tmp_path / "seals"
    Sealer(filled, SIGNER, folder).seal()
    rewrite(engine, filled, 8)
    assert verify(filled.recorder).ok
    finding = verify(filled.recorder, read_seals(folder, "facts", NODES)).finding
    assert finding is not None
    assert finding.position == 9
    assert "truncated" in finding.reason


def test_a_seal_shows_a_rewritten_chain(
    engine: Engine, filled: EventLedger, tmp_path: Path
) -> None:
    Sealer(filled, SIGNER, tmp_path / "seals").seal()
    before, forged = rows_of(filled)[9], rows_of(filled)[10]._replace(topic="sample.forged:v1")
    chained = expected_hash(before.hash, forged)
    engine.sql("UPDATE {event} SET topic = ?, hash = ? WHERE position = 11", forged.topic, chained)
    engine.sql("UPDATE {head} SET hash = ?", chained)
    assert verify(filled.recorder).ok
    finding = verify(filled.recorder, read_seals(tmp_path / "seals", "facts", NODES)).finding
    assert finding is not None
    assert finding.position == 11
    assert SIGNER.name in finding.reason


def test_seals_are_made_when_due(ledger: EventLedger, tmp_path: Path) -> None:
    sealer = Sealer(ledger, SIGNER, tmp_path, every_events=3, every_seconds=3600)
    assert sealer.seal_if_due() is None
    assert sealer.seal() is None
    ledger.append(counted(uuid4(), 1, 2))
    assert sealer.seal_if_due() is None
    ledger.append(counted(uuid4(), 3))
    assert sealer.seal_if_due() is not None
    assert sealer.seal_if_due() is None
    ledger.append(counted(uuid4(), 4))
    assert Sealer(ledger, SIGNER, tmp_path, every_seconds=0).seal_if_due() is not None
    seals = read_seals(tmp_path, "facts", NODES)
    assert [seal.position for seal in seals] == [3, 4]
    verdict = verify(ledger.recorder, seals)
    assert verdict.ok
    assert verdict.seals == 2


def test_a_seal_is_a_signed_note(ledger: EventLedger, tmp_path: Path) -> None:
    ledger.append(counted(uuid4(), 1))
    path = Sealer(ledger, SIGNER, tmp_path).seal()
    assert path is not None
    lines = path.read_text("utf-8").split("\n")
    assert lines[:2] == ["pianku/facts", "1"]
    assert lines[5] == ""
    assert lines[6].startswith(f"— {SIGNER.name} ")


@pytest.mark.parametrize(
    ("old", "new"),
    [("pianku/facts\n1\n", "pianku/facts\n2\n"), ("\n— ", "\n- "), ("\n\n", "\n"), ("at ", "")],
)
def test_a_damaged_seal_is_refused(ledger: EventLedger, tmp_path: Path, old: str, new: str) -> None:
    ledger.append(counted(uuid4(), 1))
    path = Sealer(ledger, SIGNER, tmp_path).seal()
    assert path is not None
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(BadSeal, match=path.name):
        read_seals(tmp_path, "facts", NODES)


def test_a_seal_of_an_unknown_node_is_refused(ledger: EventLedger, tmp_path: Path) -> None:
    ledger.append(counted(uuid4(), 1))
    Sealer(ledger, NodeSigner(bytes(32)), tmp_path).seal()
    with pytest.raises(BadSeal):
        read_seals(tmp_path, "facts", NODES)
