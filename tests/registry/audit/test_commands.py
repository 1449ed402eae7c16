"""Access events: what a record says, where it goes, what it never holds."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from kernel.context import Envelope
from kernel.identifiers import stream_id
from registry.audit.commands import record
from registry.audit.events import AccessRecorded

AT = datetime(2026, 5, 3, 23, 30, tzinfo=UTC)


def test_the_stream_is_of_day_and_node() -> None:
    envelope = Envelope(subject="lin", node="n1")
    batch = record(envelope, AT, action="view", outcome="success", transaction="portal.study")
    (stream,) = batch.streams
    assert stream.stream == stream_id("access", "20260503", "n1")
    assert stream.expected_version is None
    assert batch.envelope is envelope


def test_identifiers_are_told_once_and_bounded() -> None:
    key = uuid4()
    batch = record(
        Envelope(), AT, action="query", outcome="success", transaction="ITI-18",
        patient_keys=[key, key], study_uids=(f"1.2.{n}" for n in range(5000)), detail="x" * 999,
    )  # fmt: skip
    (fact,) = batch.streams[0].facts
    assert isinstance(fact, AccessRecorded)
    assert fact.patient_keys == (key,)
    assert len(fact.study_uids) == 1000
    assert len(fact.detail) == 200


@pytest.mark.parametrize("wrong", [{"action": ""}, {"outcome": "ok"}, {"transaction": ""}])
def test_a_record_that_says_nothing_is_a_bug(wrong: dict[str, str]) -> None:
    given = {"action": "view", "outcome": "success", "transaction": "t", **wrong}
    with pytest.raises(ValueError):
        record(Envelope(), AT, **given)
