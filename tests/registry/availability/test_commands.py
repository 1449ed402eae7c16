"""Notifications of availability decided: what is noted, who is told and when it is given up.

PS3.4 R.3.2.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from registry.availability import commands
from registry.availability.events import (
    AvailabilityAbandoned,
    AvailabilityDelayed,
    AvailabilityNoted,
    AvailabilityTold,
    RecipientAdded,
    RecipientRemoved,
)
from registry.availability.refusals import NoticeExists, NoticeIncomplete
from registry.availability.values import Available, Notice
from registry.commitments.values import Retrying

PART = Available("1.2.1", "1.2.840.10008.5.1.4.1.1.2", "ONLINE", "PACS", ("1.2.1.1", "1.2.1.2"))
NOTICE = Notice("1.9", "1.2", "", (PART,))
NOW = datetime(2026, 3, 1, tzinfo=UTC)
RETRYING = Retrying(timedelta(seconds=10), timedelta(minutes=1), timedelta(hours=1))


def recorded(fact: Fact, version: int) -> Recorded:
    return Recorded(
        stream=commands.RECIPIENTS, version=version, position=version, at=NOW, topic=fact.TOPIC,
        fact=fact, envelope=Envelope(),
    )  # fmt: skip


def given(*facts: Fact) -> commands.Telling:
    state = commands.NOT_TOLD
    for version, fact in enumerate(facts, 1):
        state = commands.fold(state, recorded(fact, version))
    return state


def told(*past: Fact, through: int) -> Any:
    batch = commands.told(
        given(*past), len(past), ae_title="RIS", notice=NOTICE, through=through, envelope=Envelope()
    )
    return None if batch is None else batch.streams[0].facts[0]


def not_taken(*past: Fact, through: int, after: timedelta = timedelta()) -> Any:
    batch = commands.not_taken(
        given(*past), len(past), ae_title="RIS", study_uid="1.2", through=through, owed=NOW,
        now=NOW + after, reason="R" * 80, retrying=RETRYING, envelope=Envelope(),
    )  # fmt: skip
    return None if batch is None else batch.streams[0].facts[0]


def test_what_another_archive_says_is_noted_once() -> None:
    batch = commands.note(0, NOTICE, source="PACS", envelope=Envelope())
    (fact,) = batch.streams[0].facts
    assert fact == AvailabilityNoted(
        sop_uid="1.9", study_uid="1.2", source="PACS", instances=(PART,)
    )
    with pytest.raises(NoticeExists):
        commands.note(1, NOTICE, source="PACS", envelope=Envelope())


@pytest.mark.parametrize(
    "notice",
    [
        Notice("1.9", "", "", (PART,)), Notice("1.9", "1.2", "", ()),
        Notice("1.9", "1.2", "", (msgspec.structs.replace(PART, availability="SOON"),)),
        Notice("1.9", "1.2", "", (msgspec.structs.replace(PART, retrieve_ae=""),)),
    ],
)  # fmt: skip
def test_a_notice_that_does_not_say_enough_is_refused(notice: Notice) -> None:
    with pytest.raises(NoticeIncomplete):
        commands.note(0, notice, source="PACS", envelope=Envelope())


def test_recipients_come_and_go_with_the_settings() -> None:
    def wanted(state: frozenset[str], *titles: str) -> Any:
        batch = commands.recipients(state, 0, wanted=titles, envelope=Envelope())
        return None if batch is None else batch.streams[0].facts

    first = wanted(commands.NOBODY, "RIS", "EMR")
    assert first == (RecipientAdded(ae_title="EMR"), RecipientAdded(ae_title="RIS"))
    state = commands.NOBODY
    for version, fact in enumerate(first, 1):
        state = commands.fold_recipients(state, recorded(fact, version))
    assert wanted(state, "EMR", "RIS") is None
    assert wanted(state, "RIS") == (RecipientRemoved(ae_title="EMR"),)


def test_who_was_told_as_much_is_not_told_again() -> None:
    first = told(through=5)
    assert isinstance(first, AvailabilityTold)
    assert first.instance_count == 2
    assert told(first, through=5) is None
    assert not_taken(first, through=5) is None
    assert told(first, through=7).through == 7


def test_it_is_tried_again_later_and_later_and_then_given_up() -> None:
    first = not_taken(through=5)
    assert isinstance(first, AvailabilityDelayed)
    assert (first.attempt, len(first.reason)) == (1, 64)
    second = not_taken(first, through=5)
    assert second.attempt == 2
    assert second.again - first.again == 10_000_000
    # What changed meanwhile begins anew.
    assert not_taken(first, second, through=9).attempt == 1
    last = not_taken(first, second, through=5, after=timedelta(hours=1))
    assert isinstance(last, AvailabilityAbandoned)
    assert told(first, last, through=5) is None
