"""Commitments decided: given what happened, when an AE asks or answers, then these facts or that no.

PS3.4 J.3.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kernel.context import Envelope
from kernel.events import Fact, Recorded
from kernel.times import micros
from registry.commitments import commands
from registry.commitments.events import (
    CommitmentAbandoned,
    CommitmentAsked,
    CommitmentDelayed,
    CommitmentReported,
)
from registry.commitments.refusals import CommitmentEmpty, CommitmentTransactionTaken
from registry.commitments.values import FailureReason, Judged, Reference, Retrying

NOW = datetime(2026, 5, 3, 10, 12, tzinfo=UTC)
WHOSE = {"ae_title": "CT1", "transaction_uid": "1.2.3"}
ONE, TWO = Reference("1.2.840.1", "1.1"), Reference("1.2.840.1", "1.2")
RETRYING = Retrying(timedelta(seconds=30), timedelta(seconds=100), timedelta(hours=1))
ASKED = CommitmentAsked(**WHOSE, references=(ONE, TWO))
JUDGED = Judged((ONE,), ((TWO, FailureReason.NO_SUCH_INSTANCE),))
REPORTED = CommitmentReported(**WHOSE, committed=1, failed=("1.2",), reasons=(0x0112,))


def given(*facts: Fact) -> commands.Commitment:
    state = commands.NOT_ASKED
    for version, fact in enumerate(facts, 1):
        state = commands.fold(
            state,
            Recorded(
                stream=commands.commitment_stream("CT1", "1.2.3"), version=version,
                position=version, at=NOW, topic=fact.TOPIC, fact=fact, envelope=Envelope(),
            ),
        )  # fmt: skip
    return state


def ask(*past: Fact, references: tuple[Reference, ...] = (ONE, TWO)) -> Fact | None:
    batch = commands.ask(
        given(*past), len(past), **WHOSE, references=references, envelope=Envelope()
    )
    if batch is None:
        return None
    (stream,) = batch.streams
    assert stream.expected_version == len(past)
    return stream.facts[0]


def not_taken(*past: Fact, asked: datetime = NOW, now: datetime = NOW) -> Fact | None:
    batch = commands.not_taken(
        given(*past), len(past), **WHOSE, asked=asked, now=now, reason="away", retrying=RETRYING,
        envelope=Envelope(),
    )  # fmt: skip
    return batch and batch.streams[0].facts[0]


def test_what_is_asked_is_recorded_once_however_often_an_instance_is_named() -> None:
    assert ask(references=(ONE, TWO, ONE)) == ASKED


def test_asked_again_while_a_report_is_owed_records_nothing() -> None:
    assert ask(ASKED) is None


def test_asked_again_after_the_report_owes_another_report() -> None:
    assert ask(ASKED, REPORTED, references=(TWO, ONE)) == CommitmentAsked(
        **WHOSE, references=(TWO, ONE)
    )


def test_another_request_under_the_same_transaction_is_refused() -> None:
    with pytest.raises(CommitmentTransactionTaken):
        ask(ASKED, references=(ONE,))


def test_nothing_asked_is_refused() -> None:
    with pytest.raises(CommitmentEmpty):
        ask(references=())


def test_the_report_says_what_failed_and_why() -> None:
    batch = commands.reported(given(ASKED), 1, **WHOSE, judged=JUDGED, envelope=Envelope())
    assert batch is not None
    assert batch.streams[0].facts == (REPORTED,)


def test_a_second_reporter_records_nothing() -> None:
    past = given(ASKED, REPORTED)
    assert commands.reported(past, 2, **WHOSE, judged=JUDGED, envelope=Envelope()) is None
    assert not_taken(ASKED, REPORTED) is None


def test_waits_double_up_to_the_longest() -> None:
    first = not_taken(ASKED)
    assert first == CommitmentDelayed(
        **WHOSE, attempt=1, reason="away", again=micros(NOW + timedelta(seconds=30))
    )
    third = not_taken(ASKED, CommitmentDelayed(**WHOSE, attempt=2, reason="away", again=0))
    assert third == CommitmentDelayed(
        **WHOSE, attempt=3, reason="away", again=micros(NOW + timedelta(seconds=100))
    )


def test_what_waited_too_long_is_given_up() -> None:
    assert not_taken(ASKED, asked=NOW - timedelta(hours=1)) == CommitmentAbandoned(
        **WHOSE, attempt=1, reason="away"
    )
