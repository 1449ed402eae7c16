"""What every ledger promises, on both engines: atomic appends, versions, claims, reading.

Design A3. Called by pytest.
"""

from __future__ import annotations

from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from kernel.context import Envelope, acting_as
from kernel.events import Recorded
from kernel.ledger.ledger import EventLedger
from kernel.ledger.mapper import BadClaim
from kernel.ledger.ports import (
    Append,
    Claim,
    ClaimTaken,
    LedgerUnavailable,
    StreamAppend,
    StreamMoved,
)
from kernel.ledger.topics import BadTopic, TopicTable, UnknownTopic
from kernel.ledger.verify import verify
from tests.kernel.ledger.samples import (
    Counted,
    Engine,
    PatientNamed,
    Unknown,
    counted,
    numbers,
    together,
)


def test_an_append_comes_back_as_it_was(ledger: EventLedger) -> None:
    stream = uuid4()
    caller = Envelope(subject="dr.li", subject_kind="account", purpose="TREAT", protocol="iti-41")
    with acting_as(caller):
        assert (
            ledger.append(Append((StreamAppend(stream, (Counted(number=1, text="片\0库"),)),))) == 1
        )
    (recorded,) = ledger.load(stream)
    assert recorded.fact == Counted(number=1, text="片\0库")
    assert (recorded.stream, recorded.version, recorded.position) == (stream, 1, 1)
    assert recorded.topic == Counted.TOPIC
    assert recorded.envelope.subject == "dr.li"
    assert recorded.envelope.correlation == caller.correlation
    assert recorded.envelope.node == "node-1"
    assert abs(datetime.now(UTC) - recorded.at) < timedelta(minutes=1)
    assert ledger.read(0) == [recorded]
    assert ledger.head() == 1


def test_a_new_ledger_is_empty(ledger: EventLedger) -> None:
    assert ledger.head() == 0
    assert ledger.read(0) == []
    assert ledger.load(uuid4()) == []
    assert ledger.fold(uuid4(), 7, lambda state, _: state) == (7, 0)
    assert ledger.position_at(datetime.now(UTC)) == 0
    assert verify(ledger.recorder).ok


def test_one_append_over_several_streams_is_numbered_in_order(ledger: EventLedger) -> None:
    a, b = uuid4(), uuid4()
    batch = Append((
        StreamAppend(a, (Counted(number=1), Counted(number=2)), 0),
        StreamAppend(b, (Counted(number=3),)),
        StreamAppend(a, (Counted(number=4),), 2),
    ))  # fmt: skip
    assert ledger.append(batch) == 4
    assert [(e.position, e.stream, e.version) for e in ledger.read(0)] == [
        (1, a, 1), (2, a, 2), (3, b, 1), (4, a, 3),
    ]  # fmt: skip


@pytest.mark.parametrize("expected", [1, 2, 9])
def test_a_new_stream_is_at_version_zero(ledger: EventLedger, expected: int) -> None:
    with pytest.raises(StreamMoved) as refused:
        ledger.append(counted(uuid4(), 1, expected=expected))
    assert refused.value.expected == expected
    assert ledger.head() == 0


def test_a_moved_stream_refuses_the_whole_append(ledger: EventLedger) -> None:
    stream, other = uuid4(), uuid4()
    ledger.append(counted(stream, 1, expected=0))
    part = StreamAppend(other, (Counted(number=5),), 0)
    stale = StreamAppend(stream, (Counted(number=6),), 0)
    with pytest.raises(StreamMoved) as refused:
        ledger.append(Append((part, stale), (Claim("uid", "1.2"),)))
    assert refused.value.stream == stream
    assert ledger.load(other) == []
    assert ledger.claims("uid", ["1.2"]) == {}
    ledger.append(counted(stream, 2, expected=1))
    assert numbers(ledger, stream) == [1, 2]


def test_a_claim_is_taken_once(ledger: EventLedger) -> None:
    claim = Claim("uid", "1.2.3", b"hash")
    ledger.append(counted(uuid4(), 1, 2, claims=(claim, Claim("uid", "1.2.4"))))
    with pytest.raises(ClaimTaken) as refused:
        ledger.append(counted(uuid4(), 3, claims=(Claim("other", "1.2.3"), claim)))
    assert refused.value.claim == claim
    assert (refused.value.held.fingerprint, refused.value.held.position) == (b"hash", 2)
    assert ledger.head() == 2
    held = ledger.claims("uid", ["1.2.3", "1.2.4", "9"])
    assert {key: claim.position for key, claim in held.items()} == {"1.2.3": 2, "1.2.4": 2}
    assert ledger.claims("other", ["1.2.3"]) == {}


def test_a_shared_claim_passes_with_an_equal_fingerprint_only(ledger: EventLedger) -> None:
    stream = uuid4()
    for _ in range(2):
        ledger.append(counted(stream, 1, claims=(Claim("uid", "1", b"same", shared=True),)))
    assert ledger.claims("uid", ["1"])["1"].position == 1
    with pytest.raises(ClaimTaken):
        ledger.append(counted(stream, 1, claims=(Claim("uid", "1", b"other", shared=True),)))
    with pytest.raises(ClaimTaken):
        ledger.append(counted(stream, 1, claims=(Claim("uid", "1", b"same"),)))
    assert ledger.head() == 2


def test_a_claim_names_itself_twice_in_one_append(ledger: EventLedger) -> None:
    shared = Claim("uid", "1", b"x", shared=True)
    ledger.append(counted(uuid4(), 1, claims=(shared, shared)))
    with pytest.raises(ClaimTaken):
        ledger.append(counted(uuid4(), 1, claims=(Claim("uid", "2"), Claim("uid", "2"))))
    assert ledger.claims("uid", ["1", "2"]).keys() == {"1"}


def test_claims_differ_by_case_and_bear_any_letter(ledger: EventLedger) -> None:
    keys = ["abc", "ABC", "片库", "a'b\"c\\", ""]
    for key in keys:
        ledger.append(counted(uuid4(), 1, claims=(Claim("uid", key),)))
    assert ledger.claims("uid", keys).keys() == set(keys)


@pytest.mark.parametrize("key", ["1\0", "9" * 2000])
def test_a_claim_no_engine_can_hold_is_invalid(ledger: EventLedger, key: str) -> None:
    with pytest.raises(BadClaim):
        ledger.append(counted(uuid4(), 1, claims=(Claim("uid", key),)))


@pytest.mark.parametrize("busy", [False, True])
def test_several_appends_at_once_are_each_for_itself(ledger: EventLedger, busy: bool) -> None:
    known, fresh = uuid4(), uuid4()
    ledger.append(counted(known, 1, claims=(Claim("uid", "taken", b"a"),)))
    before = [ledger.append_soon(counted(uuid4(), n)) for n in range(20)] if busy else []
    first, moved, taken, nothing, last = ledger.append_all((
        counted(fresh, 1, expected=0),
        counted(known, 2, expected=0),
        counted(uuid4(), 3, claims=(Claim("uid", "taken", b"b"),)),
        Append(()),
        counted(fresh, 4, expected=1),
    ))  # fmt: skip
    assert isinstance(moved, StreamMoved)
    assert isinstance(taken, ClaimTaken)
    assert isinstance(first, int)
    assert isinstance(nothing, int)
    assert last == first + 1 == ledger.head()
    assert numbers(ledger, fresh) == [1, 4]
    assert all(future.result() < first for future in before)
    assert ledger.append_all(()) == []


def test_of_a_group_only_the_offender_is_refused(ledger: EventLedger) -> None:
    known, fresh = uuid4(), uuid4()
    ledger.append(counted(known, 1, claims=(Claim("uid", "taken", b"a"),)))

    def queue() -> list[Future[int]]:
        return [
            ledger.append_soon(batch)
            for batch in (
                counted(fresh, 1, expected=0, claims=(Claim("uid", "new"),)),
                counted(known, 2, expected=0),
                counted(uuid4(), 3, claims=(Claim("uid", "taken", b"b"),)),
                counted(uuid4(), 4, claims=(Claim("uid", "new"),)),
                counted(fresh, 5, 6, expected=1),
                counted(fresh, 7),
                counted(fresh, 8, expected=1),
                counted(known, 9, expected=1),
            )
        ]

    done = together(ledger, queue)
    errors = [f.exception() for f in done]
    assert [type(e) for e in errors] == [
        type(None), StreamMoved, ClaimTaken, ClaimTaken,
        type(None), type(None), StreamMoved, type(None),
    ]  # fmt: skip
    assert [f.result() for f in done if not f.exception()] == [3, 5, 6, 7]
    assert isinstance(errors[2], ClaimTaken)
    assert errors[2].held.fingerprint == b"a"
    assert isinstance(errors[3], ClaimTaken)
    assert errors[3].held.position == 3
    assert numbers(ledger, fresh) == [1, 5, 6, 7]
    assert numbers(ledger, known) == [1, 9]
    assert verify(ledger.recorder).ok


def test_a_group_without_refusals_is_one_commit(ledger: EventLedger) -> None:
    stream = uuid4()
    done = together(
        ledger, lambda: [ledger.append_soon(counted(stream, n, expected=n)) for n in range(50)]
    )
    assert [f.result() for f in done] == list(range(2, 52))
    times = {e.at for e in ledger.load(stream)}
    assert len(times) == 1


def test_reading_is_bounded_by_position_and_topic(ledger: EventLedger) -> None:
    ledger.append(counted(uuid4(), *range(10)))
    ledger.append(Append((StreamAppend(uuid4(), (PatientNamed(ward="W1"),)),)))
    assert [e.position for e in ledger.read(3, 4)] == [4, 5, 6, 7]
    assert [e.position for e in ledger.read(3, until=5)] == [4, 5]
    assert [e.position for e in ledger.read(0, topics=[PatientNamed.TOPIC])] == [11]
    assert [e.position for e in ledger.read(0, 2, topics=[Counted.TOPIC, "none:v1"])] == [1, 2]
    assert ledger.read(11) == []


def test_folding_a_long_stream(ledger: EventLedger) -> None:
    stream = uuid4()
    ledger.append(counted(stream, *range(2500)))

    def add(total: int, recorded: Recorded) -> int:
        return total + (recorded.fact.number if isinstance(recorded.fact, Counted) else 0)

    assert ledger.fold(stream, 0, add) == (sum(range(2500)), 2500)
    assert len(ledger.load(stream)) == 2500


def test_time_never_runs_backwards_and_finds_positions(engine: Engine) -> None:
    start = datetime(2026, 5, 3, 10, 0, tzinfo=UTC)
    ticks = iter([0, 10, 5, 20, 20])
    ledger = engine.open(clock=lambda: start + timedelta(seconds=next(ticks)))
    for n in range(5):
        ledger.append(counted(uuid4(), n, n))
    seconds = [(e.at - start).total_seconds() for e in ledger.read(0)]
    assert seconds == [0, 0, 10, 10, 10, 10, 20, 20, 20, 20]
    found = {
        s: ledger.position_at(start + timedelta(seconds=s)) for s in (-1, 0, 9, 10, 19, 20, 99)
    }
    assert found == {-1: 0, 0: 2, 9: 2, 10: 6, 19: 6, 20: 10, 99: 10}


def test_an_append_of_nothing_tells_the_head(ledger: EventLedger) -> None:
    ledger.append(counted(uuid4(), 1))
    assert ledger.append(Append(())) == 1
    assert ledger.append(Append((StreamAppend(uuid4(), ()),))) == 1
    with pytest.raises(ValueError, match="claim"):
        ledger.append(Append((), (Claim("uid", "1"),)))


def test_a_fact_outside_the_topic_table_is_a_mistake(engine: Engine, ledger: EventLedger) -> None:
    with pytest.raises(BadTopic):
        ledger.append(Append((StreamAppend(uuid4(), (Unknown(),)),)))
    wider = engine.open(topics=TopicTable([Unknown]))
    wider.append(Append((StreamAppend(uuid4(), (Unknown(),)),)))
    with pytest.raises(UnknownTopic, match=r"sample\.unknown:v1"):
        ledger.read(0)


def test_a_closed_ledger_says_so(engine: Engine) -> None:
    ledger = engine.open()
    pending = [ledger.append_soon(counted(uuid4(), n)) for n in range(20)]
    ledger.close()
    assert sorted(f.result(timeout=0) for f in pending) == list(range(1, 21))
    with pytest.raises(LedgerUnavailable):
        ledger.append(counted(uuid4(), 1))
    with pytest.raises(LedgerUnavailable):
        ledger.head()
    ledger.close()


def test_a_ledger_outlives_its_process(engine: Engine) -> None:
    engine.open().append(counted(uuid4(), 1, 2))
    engine.close()
    again = engine.open()
    assert again.append(counted(uuid4(), 3)) == 3
    assert verify(again.recorder).ok


def test_ledgers_of_one_place_are_apart(engine: Engine) -> None:
    facts, access = engine.open("facts"), engine.open("access")
    facts.append(counted(uuid4(), 1, claims=(Claim("uid", "1"),)))
    assert access.append(counted(uuid4(), 1, claims=(Claim("uid", "1"),))) == 1
    assert facts.recorder.head().hash != access.recorder.head().hash


def test_a_large_event_and_a_large_append(ledger: EventLedger) -> None:
    stream, text = uuid4(), "影" * 1_700_000
    ledger.append(Append((StreamAppend(stream, (Counted(number=1, text=text),)),)))
    assert ledger.append(counted(stream, *range(12_000))) == 12_001
    facts = Append(
        (StreamAppend(stream, tuple(Counted(number=n, text="x" * 2_000_000) for n in range(3))),)
    )
    ledger.append(facts)
    assert ledger.read(0, 1)[0].fact == Counted(number=1, text=text)
    assert ledger.load(stream)[-1].version == 12_004
    assert verify(ledger.recorder).ok


def test_who_and_why_can_be_searched_with_plain_sql(engine: Engine, ledger: EventLedger) -> None:
    caller = Envelope(subject="dr.li", purpose="break glass: resuscitation", protocol="portal")
    ledger.append(counted(uuid4(), 1, envelope=caller))
    ledger.append(counted(uuid4(), 2))
    found = engine.sql(
        "SELECT position, topic, body FROM {readable}"
        " WHERE subject = ? AND purpose LIKE 'break glass%' AND correlation = ?",
        "dr.li",
        str(caller.correlation),
    )
    assert found == [(1, Counted.TOPIC, '{"number":1}')]
