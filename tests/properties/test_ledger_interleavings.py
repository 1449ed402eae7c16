"""Any interleaving of writers: gapless versions and positions, nothing lost, refusals leave nothing.

Design A3: a model of the ledger in a few lines, held against both engines. Called by pytest.
"""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import Future
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from kernel.context import Envelope
from kernel.events import Recorded
from kernel.ledger.ledger import EventLedger
from kernel.ledger.ports import Append, Claim, ClaimTaken, StreamAppend, StreamMoved
from kernel.ledger.verify import verify
from tests.kernel.ledger.samples import Counted, Engine
from tests.support.postgres import drop_schema

STREAMS = st.sampled_from([UUID(int=n) for n in (1, 2, 3)])
CLAIMS = st.builds(
    Claim,
    kind=st.sampled_from(["uid", "sop"]),
    key=st.sampled_from(["1", "2", "3", "4"]),
    fingerprint=st.sampled_from([b"a", b"b"]),
    shared=st.booleans(),
)
# (stream, number of facts, expected version relative to the model: None is "any")
PARTS = st.lists(
    st.tuples(STREAMS, st.integers(1, 3), st.sampled_from([None, None, 0, 0, 1, -1])),
    min_size=1,
    max_size=3,
)
APPENDS = st.tuples(PARTS, st.lists(CLAIMS, max_size=2))


class Interleavings(RuleBasedStateMachine):
    """Appends by two writers, alone and in groups, against a model."""

    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.names = iter(range(10**6))
        self.engine.opened.clear()
        self.ledger = f"l{uuid4().hex[:8]}"
        self.writers = [self.engine.open(self.ledger) for _ in range(2)]
        self.log: list[tuple[UUID, int, int]] = []
        self.held: dict[tuple[str, str], tuple[bytes, int]] = {}
        self.live: list[Recorded] = []

    def teardown(self) -> None:
        self.engine.close()

    def _versions(self) -> dict[UUID, int]:
        return {stream: version for stream, version, _ in self.log}

    def _build(
        self, parts: list[tuple[UUID, int, int | None]], claims: list[Claim]
    ) -> tuple[Append, type[Exception] | None]:
        """Return an append and the refusal the model foresees; the model moves on if none."""
        versions, log, held = self._versions(), list(self.log), dict(self.held)
        refusal: type[Exception] | None = None
        streams = []
        for stream, size, skew in parts:
            now = versions.get(stream, 0)
            expected = None if skew is None else max(0, now + skew)
            if refusal is None and expected is not None and expected != now:
                refusal = StreamMoved
            facts = tuple(Counted(number=next(self.names)) for _ in range(size))
            streams.append(StreamAppend(stream, facts, expected))
            log += [(stream, now + i, f.number) for i, f in enumerate(facts, 1)]
            versions[stream] = now + size
        for claim in claims:
            mark, _ = held.setdefault((claim.kind, claim.key), (claim.fingerprint, len(log)))
            fresh = (claim.kind, claim.key) not in self.held
            first = fresh and claim is next(
                c for c in claims if (c.kind, c.key) == (claim.kind, claim.key)
            )
            if refusal is None and not first and not (claim.shared and mark == claim.fingerprint):
                refusal = ClaimTaken
        if refusal is None:
            self.log, self.held = log, held
        return Append(tuple(streams), tuple(claims), Envelope()), refusal

    def _settle(self, foreseen: list[tuple[Future[int], type[Exception] | None, int]]) -> None:
        for future, refusal, position in foreseen:
            error = future.exception(30)
            assert type(error) is (refusal or type(None)), (error, refusal)
            if error is None:
                assert future.result() == position

    @rule(writer=st.integers(0, 1), append=APPENDS)
    def append(
        self, writer: int, append: tuple[list[tuple[UUID, int, int | None]], list[Claim]]
    ) -> None:
        batch, refusal = self._build(*append)
        self._settle([(self.writers[writer].append_soon(batch), refusal, len(self.log))])

    @rule(writer=st.integers(0, 1), appends=st.lists(APPENDS, min_size=2, max_size=6))
    def append_together(
        self, writer: int, appends: list[tuple[list[tuple[UUID, int, int | None]], list[Claim]]]
    ) -> None:
        """Queue while the engine is kept busy, so that the appends share a commit."""
        ledger = self.writers[writer]
        with ledger.recorder._write_lock:  # type: ignore[attr-defined]
            foreseen = []
            for append in appends:
                batch, refusal = self._build(*append)
                foreseen.append((ledger.append_soon(batch), refusal, len(self.log)))
        self._settle(foreseen)

    @rule(reader=st.integers(0, 1), limit=st.integers(1, 5))
    def catch_up(self, reader: int, limit: int) -> None:
        """Read on from where the live reader is."""
        self.live += self.writers[reader].read(len(self.live), limit)

    @rule()
    def reopen(self) -> None:
        """Another process takes over from the second writer."""
        self.writers[1].close()
        self.writers[1] = self.engine.open(self.ledger)

    @invariant()
    def the_ledger_is_the_model(self) -> None:
        ledger: EventLedger = self.writers[0]
        assert ledger.head() == len(self.log)
        replayed = ledger.read(0, 10_000)
        assert [e.position for e in replayed] == list(range(1, len(self.log) + 1))
        assert [
            (e.stream, e.version, e.fact.number) for e in replayed if isinstance(e.fact, Counted)
        ] == self.log
        assert self.live == replayed[: len(self.live)], "replay differs from what was seen live"
        for kind in ("uid", "sop"):
            held = ledger.claims(kind, ["1", "2", "3", "4"])
            assert {(kind, k): (h.fingerprint, h.position) for k, h in held.items()} == {
                name: value for name, value in self.held.items() if name[0] == kind
            }
        assert verify(ledger.recorder).ok


PACE = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_any_interleaving_on_sqlite() -> None:
    place = Path(tempfile.mkdtemp())

    class OnSqlite(Interleavings):
        engine = Engine("sqlite", str(place))

    try:
        run_state_machine_as_test(OnSqlite, settings=PACE)
    finally:
        shutil.rmtree(place)


def test_any_interleaving_on_postgresql(postgres_dsn: str) -> None:
    schema = f"test_{uuid4().hex[:12]}"

    class OnPostgres(Interleavings):
        engine = Engine("postgresql", postgres_dsn, schema)

    try:
        run_state_machine_as_test(OnPostgres, settings=PACE)
    finally:
        drop_schema(postgres_dsn, schema)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_many_more_interleavings(postgres_dsn: str) -> None:
    schema = f"test_{uuid4().hex[:12]}"

    class OnPostgres(Interleavings):
        engine = Engine("postgresql", postgres_dsn, schema)

    try:
        run_state_machine_as_test(
            OnPostgres, settings=settings(PACE, max_examples=200, stateful_step_count=30)
        )
    finally:
        drop_schema(postgres_dsn, schema)
