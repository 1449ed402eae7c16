"""Event schemas are frozen: what was once stored must stay readable (design A3)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kernel.events import Fact
from server.event_catalogue import facts, topic_table

FROZEN = Path(__file__).resolve().parents[2] / "schemas" / "events"


def schema_of(fact: type[Fact]) -> dict[str, Any]:
    schema = msgspec.json.schema(fact)
    schema["$id"] = fact.TOPIC
    schema["x-personal"] = sorted(fact.PERSONAL)
    return schema


def frozen_path(fact: type[Fact]) -> Path:
    return FROZEN / f"{fact.TOPIC.replace(':', '.')}.json"


@pytest.mark.parametrize("fact", facts(), ids=lambda fact: fact.TOPIC)
def test_a_published_event_schema_never_changes(fact: type[Fact]) -> None:
    path = frozen_path(fact)
    current = json.dumps(schema_of(fact), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("PIANKU_FREEZE_EVENTS") == "1" and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(current, encoding="utf-8")
    assert path.exists(), "a new event: freeze it with PIANKU_FREEZE_EVENTS=1"
    assert path.read_text(encoding="utf-8") == current, (
        "a stored event must stay readable: make a new topic version and an upcaster"
    )


def test_every_frozen_schema_still_has_a_reader() -> None:
    known = {fact.TOPIC for fact in facts()} | {old for fact in facts() for old in fact.UPCASTERS}
    frozen = {json.loads(p.read_text("utf-8"))["$id"] for p in FROZEN.glob("*.json")}
    assert frozen <= known


def test_topics_are_unique_and_versioned() -> None:
    topic_table()  # refuses duplicates
    assert all(fact.TOPIC.rpartition(":v")[2].isdigit() for fact in facts())


def test_personal_fields_exist_and_have_a_default() -> None:
    for fact in facts():
        fields = {f.name: f for f in msgspec.structs.fields(fact)}
        for name in fact.PERSONAL:
            assert name in fields, f"{fact.TOPIC} declares {name}, which it does not have"
            assert not fields[name].required, f"{fact.TOPIC}.{name} needs a default once shredded"
