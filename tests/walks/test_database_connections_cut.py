"""PostgreSQL cuts every connection of a serving installation; the next request is served.

A restart of the database, a failover or an administrator's `pg_terminate_backend`: it costs a
client no more than a refusal that says to come again (ITI TF-2 3.18, 3.41; N-5).
"""

from __future__ import annotations

import time

import psycopg
import pytest

from tests.support import mllp, xds
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient

TIMES = 3


def cut_all(dsn: str) -> int:
    """Terminate every other backend of the database; return how many there were."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_queries_and_submissions_go_on_after_every_connection_was_cut(
    pianku: RunningPianku,
) -> None:
    if pianku.dsn is None:
        pytest.skip("SQLite has no connections to cut")
    client = SoapClient(pianku.http)
    number = f"CUT{time.monotonic_ns()}"
    authority = pianku.demo["assigning_authority"]
    assert mllp.accepted(mllp.send(pianku.mllp_port, mllp.admission(number, authority)))
    patient = f"{number}^^^&{authority}&ISO"
    stored = []
    for _ in range(TIMES):
        document = xds.Document(b"%PDF-1.4 cut", patient)
        assert cut_all(pianku.dsn) > 0
        found = xds.find_documents(client, patient)
        assert [xds.unique_id(entry) for entry in found] == stored
        assert cut_all(pianku.dsn) > 0
        answer = xds.provide_and_register(client, document)
        assert xds.status(answer) == xds.SUCCESS, answer.text()
        stored.append(document.unique_id)
