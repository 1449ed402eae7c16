"""`pianku events` does what an auditor needs: verify, tail, export, seal.

Design A3, F. Called by pytest.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator
from io import StringIO
from pathlib import Path
from uuid import uuid4

import click
import pytest
from click.testing import CliRunner, Result

from kernel.ledger.ledger import EventLedger
from kernel.ledger.ports import Append, StreamAppend
from server.cli.events import build_commands, tail_ledger
from server.keys import NodeSigner
from tests.kernel.ledger.samples import Engine, PatientNamed, counted


@pytest.fixture
def ledgers(tmp_path: Path) -> Generator[dict[str, EventLedger]]:
    engine = Engine("sqlite", str(tmp_path))
    made = {name: engine.open(name) for name in ("facts", "access")}
    named = StreamAppend(uuid4(), (PatientNamed(ward="W1", name="王芳"),), patient_key=uuid4())
    made["facts"].append(Append((named,)))
    made["facts"].append(counted(uuid4(), 1, 2))
    yield made
    engine.close()


@pytest.fixture
def group(ledgers: dict[str, EventLedger]) -> click.Group:
    return build_commands(lambda: ledgers, lambda: NodeSigner(bytes(32)))


def run(group: click.Group, *arguments: str) -> Result:
    return CliRunner().invoke(group, arguments, catch_exceptions=False)


def test_sound_ledgers(group: click.Group) -> None:
    result = run(group, "verify")
    assert result.exit_code == 0
    assert "facts: 3 events in order" in result.stdout
    assert "access: 0 events in order" in result.stdout


def test_a_changed_ledger(group: click.Group, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "facts.db") as database:
        database.execute("UPDATE event SET body = '{\"number\":9}' WHERE position = 2")
    result = run(group, "verify", "--json")
    assert result.exit_code == 1
    facts, access = (json.loads(line) for line in result.stdout.splitlines())
    assert (facts["ok"], facts["position"], facts["events"]) == (False, 2, 1)
    assert access["ok"]


def test_seals_are_written_and_held_against_the_chain(group: click.Group, tmp_path: Path) -> None:
    seals = str(tmp_path / "seals")
    assert run(group, "seal", "--seals", seals).exit_code == 0
    assert "facts: nothing new" in run(group, "seal", "--seals", seals).stdout
    assert "facts: 3 events in order, 1 seals held" in run(group, "verify", "--seals", seals).stdout
    (path,) = Path(seals).iterdir()
    path.write_text(path.read_text("utf-8").replace("\n3\n", "\n4\n"), "utf-8")
    damaged = run(group, "verify", "--seals", seals)
    assert damaged.exit_code == 1
    assert path.name in damaged.output


def test_seals_have_a_place_of_their_own(ledgers: dict[str, EventLedger], tmp_path: Path) -> None:
    made = build_commands(
        lambda: ledgers, lambda: NodeSigner(bytes(32)), seals=lambda: tmp_path / "kept"
    )
    assert "facts: 3 events in order, 0 seals held" in run(made, "verify").stdout
    assert run(made, "seal").exit_code == 0
    assert "facts: 3 events in order, 1 seals held" in run(made, "verify").stdout


def test_without_a_place_for_seals_the_command_asks(group: click.Group) -> None:
    assert run(group, "seal").exit_code == 2


def test_an_export_keeps_personal_fields_sealed(group: click.Group) -> None:
    first, *rest = map(json.loads, run(group, "export").stdout.splitlines())
    assert first["fact"] == {"ward": "W1"}
    assert first["sealed_for"]
    assert not first["shredded"]
    assert [line["position"] for line in rest] == [2, 3]


def test_an_export_in_clear_has_to_be_asked_for(group: click.Group, tmp_path: Path) -> None:
    target = tmp_path / "out.ndjson"
    result = run(group, "export", "--unsealed", "--until", "1", "--output", str(target))
    assert result.exit_code == 0
    (line,) = map(json.loads, target.read_text("utf-8").splitlines())
    assert line["fact"] == {"ward": "W1", "name": "王芳"}


def test_a_ledger_that_is_not_there(group: click.Group) -> None:
    result = run(group, "export", "--ledger", "none")
    assert result.exit_code == 2
    assert "facts, access" in result.output


def test_the_tail(group: click.Group, ledgers: dict[str, EventLedger]) -> None:
    result = run(group, "tail", "--after", "1", "--no-follow")
    assert [json.loads(line)["position"] for line in result.stdout.splitlines()] == [2, 3]

    class Screen(StringIO):
        def flush(self) -> None:
            raise KeyboardInterrupt

    screen = Screen()
    tail_ledger(ledgers["facts"], 0, screen, follow=True)
    assert len(screen.getvalue().splitlines()) == 3
    assert "王芳" not in screen.getvalue()
