"""The same furniture in every room (design B): whoever knows one folder knows them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from projections.catalogue import VIEWS

ROOT = Path(__file__).resolve().parents[2]


def rooms(name: str) -> list[Path]:
    return sorted(p.parent for p in (ROOT / name).glob("*/__init__.py"))


PROTOCOLS = [p for p in rooms("adapters") if (p / "endpoint.py").exists()]
VIEW_ROOMS = [p for p in rooms("projections") if (p / "projection.py").exists()]


@pytest.mark.parametrize("room", rooms("registry"), ids=lambda p: p.name)
def test_a_room_of_the_registry_has_facts_a_door_and_refusals(room: Path) -> None:
    expected = {"events.py", "commands.py"}
    if room.name != "audit":  # it only ever adds: there is nothing to refuse
        expected.add("refusals.py")
    assert expected <= {p.name for p in room.glob("*.py")}


@pytest.mark.parametrize("room", VIEW_ROOMS, ids=lambda p: p.name)
def test_a_view_has_queries_tables_and_a_projection(room: Path) -> None:
    assert {"view.py", "tables.py", "projection.py"} <= {p.name for p in room.glob("*.py")}


def test_every_view_stands_in_the_catalogue() -> None:
    assert {p.name for p in VIEW_ROOMS} == set(VIEWS)


@pytest.mark.parametrize("room", PROTOCOLS, ids=lambda p: p.name)
def test_a_protocol_has_endpoint_codecs_and_faults(room: Path) -> None:
    assert {"endpoint.py", "decode.py", "encode.py", "faults.py"} <= {
        p.name for p in room.glob("*.py")
    }


@pytest.mark.parametrize("room", PROTOCOLS, ids=lambda p: p.name)
def test_a_protocol_proves_that_it_has_a_word_for_every_refusal(room: Path) -> None:
    tests = (ROOT / "tests" / "adapters" / room.name).glob("test_*.py")
    assert any("leaves(" in path.read_text(encoding="utf-8") for path in tests)


def test_every_protocol_is_tested_by_a_walk_over_sockets() -> None:
    walks = " ".join(p.read_text(encoding="utf-8") for p in (ROOT / "tests/walks").glob("*.py"))
    for word in ('peer("dcmtk")', "dicomweb_client", "/xds/", "mllp", "/api/v1"):
        assert word in walks, word
