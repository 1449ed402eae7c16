"""An auditor asks what was known then, and whether anybody has altered the ledger since.

`pianku events replay --until` and `pianku events verify` (design A3), on a ledger of real work.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator

import psycopg
import pytest
from psycopg import sql

from tests.support import mllp, xds
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

pytestmark = pytest.mark.tender("R-6.2.19.3")


@pytest.fixture(scope="module")
def own(engine_dsn: str | None) -> Generator[RunningPianku]:
    """An installation of one's own: its ledger will be damaged, by the last test."""
    with RunningPianku(dsn=engine_dsn, flags=("--no-load",)) as running:
        yield running


def test_replay_shows_the_state_before_a_registration(own: RunningPianku) -> None:
    authority, client = own.demo["assigning_authority"], SoapClient(own.http)
    patient = f"AUD1^^^&{authority}&ISO"
    assert mllp.accepted(mllp.send(own.mllp_port, mllp.admission("AUD1", authority)))
    first = xds.Document(b"first", patient, title="First", mime_type="text/plain")
    second = xds.Document(b"second", patient, title="Second", mime_type="text/plain")

    assert xds.status(xds.provide_and_register(client, first)) == xds.SUCCESS
    between = head(own)
    assert xds.status(xds.provide_and_register(client, second)) == xds.SUCCESS

    then = replay(own, str(between), patient)
    now = replay(own, str(head(own)), patient)
    before = replay(own, "0", patient)
    assert [d["unique_id"] for d in then["documents"]] == [first.unique_id]
    assert {d["unique_id"] for d in now["documents"]} == {first.unique_id, second.unique_id}
    assert before["documents"] == []
    assert len(xds.find_documents(client, patient)) == 2  # the live views were left alone


def test_verify_passes_and_names_the_altered_event(own: RunningPianku) -> None:
    authority = own.demo["assigning_authority"]
    for number in range(5):
        assert mllp.accepted(mllp.send(own.mllp_port, mllp.admission(f"VER{number}", authority)))
    last = head(own)
    assert own.cli("events", "verify").returncode == 0
    # The server may stay up: whoever alters a row does not ask it.
    altered = last - 2

    alter(own, altered)

    verdict = next(v for v in verdicts(own) if v["ledger"] == "facts")
    assert not verdict["ok"]
    assert verdict["position"] == altered
    assert own.cli("events", "verify", check=False).returncode == 1


def head(own: RunningPianku) -> int:
    """Return the position of the last fact, as anybody reads it who may read the tables."""
    if own.dsn is None:
        with sqlite3.connect(own.data / "ledger" / "facts.sqlite") as connection:
            return int(connection.execute("SELECT position FROM head").fetchone()[0])
    table = sql.Identifier(own.schema, "facts_head")
    with psycopg.connect(own.dsn) as reader:
        found = reader.execute(sql.SQL("SELECT position FROM {}").format(table)).fetchone()
    assert found is not None
    return int(found[0])


def verdicts(own: RunningPianku) -> list[dict[str, object]]:
    """Return what `events verify --json` says of each ledger."""
    said = own.cli("events", "verify", "--json", check=False).stdout
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def replay(own: RunningPianku, until: str, patient: str) -> dict[str, list[dict[str, str]]]:
    """Return the views' answer as they stood at a position."""
    said = own.cli("events", "replay", "--until", until, "--patient", patient, "--json").stdout
    answer: dict[str, list[dict[str, str]]] = json.loads(said)
    return answer


def alter(own: RunningPianku, position: int) -> None:
    """Move one stored event by a microsecond, as an intruder with the database's password could."""
    statement = "UPDATE {} SET at = at + 1 WHERE position = "
    if own.dsn is None:
        with sqlite3.connect(own.data / "ledger" / "facts.sqlite") as connection:
            changed = connection.execute(statement.format("event") + "?", (position,)).rowcount
    else:
        table = sql.Identifier(own.schema, "facts_event")
        with psycopg.connect(own.dsn, autocommit=True) as intruder:
            changed = intruder.execute(
                sql.SQL(statement + "%s").format(table), (position,)
            ).rowcount
    assert changed == 1
