"""Group commit: who shares a commit, who is told what, and that one bad append harms no other.

Design A3. Called by pytest.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from uuid import UUID

import pytest

from kernel.ledger.admission import Outcome, Part, Prepared, PreparedEvent
from kernel.ledger.group_commit import MAX_EVENTS, Committer
from kernel.ledger.ports import LedgerUnavailable

STREAM = UUID(int=1)
EVENT = PreparedEvent(STREAM, "t:v1", "{}", "{}", None, None, b"")


def prepared(size: int = 1, body: str = "{}") -> Prepared:
    return Prepared((Part(STREAM, None, size),), (EVENT._replace(body=body),) * size)


class Database:
    """Stands for an engine: waits at a gate, and cannot take the body "poison"."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.groups: list[int] = []
        self.away = False
        self.position = 0

    def commit(self, group: Sequence[Prepared]) -> list[Outcome]:
        self.gate.wait(10)
        self.groups.append(len(group))
        if self.away:
            raise LedgerUnavailable
        if any(event.body == "poison" for one in group for event in one.events):
            raise OverflowError
        outcomes: list[Outcome] = []
        for one in group:
            self.position += len(one.events)
            outcomes.append(self.position)
        return outcomes


def queued(committer: Committer, *batches: Prepared) -> list[Future[int]]:
    first = committer.submit(prepared())
    while not first.running():
        pass
    return [committer.submit(batch) for batch in batches]


def test_whatever_waits_is_one_group() -> None:
    database = Database()
    committer = Committer(database.commit, "test")
    done = queued(committer, *[prepared(2)] * 30)
    database.gate.set()
    assert [f.result(5) for f in done] == list(range(3, 63, 2))
    assert database.groups == [1, 30]
    committer.close()


def test_a_group_is_bounded() -> None:
    database = Database()
    committer = Committer(database.commit, "test")
    queued(committer, *[prepared(MAX_EVENTS // 2)] * 5)
    database.gate.set()
    committer.close()
    assert database.groups == [1, 2, 2, 1]


def test_an_append_the_database_cannot_take_fails_alone() -> None:
    database = Database()
    committer = Committer(database.commit, "test")
    done = queued(committer, prepared(), prepared(body="poison"), prepared())
    database.gate.set()
    assert done[0].result(5) == 2
    assert isinstance(done[1].exception(5), OverflowError)
    assert done[2].result(5) == 3
    committer.close()


def test_when_the_database_is_away_everybody_is_told_and_later_all_is_well() -> None:
    database = Database()
    committer = Committer(database.commit, "test")
    database.away = True
    done = queued(committer, prepared(), prepared())
    database.gate.set()
    assert all(isinstance(f.exception(5), LedgerUnavailable) for f in done)
    assert database.groups == [1, 2]
    database.away = False
    assert committer.submit(prepared()).result(5) == 1
    committer.close()


def test_who_cancels_in_time_is_not_stored() -> None:
    database = Database()
    committer = Committer(database.commit, "test")
    done = queued(committer, prepared(), prepared())
    assert done[0].cancel()
    database.gate.set()
    assert done[1].result(5) == 2
    with pytest.raises(CancelledError):
        done[0].result(0)
    committer.close()


def test_an_append_from_a_callback_is_refused_instead_of_waiting_for_itself() -> None:
    database = Database()
    committer = Committer(database.commit, "test")
    seen: list[BaseException] = []

    def again(_: Future[int]) -> None:
        try:
            committer.submit(prepared())
        except RuntimeError as error:
            seen.append(error)

    (done,) = queued(committer, prepared())
    done.add_done_callback(again)
    database.gate.set()
    committer.close()
    assert len(seen) == 1
    with pytest.raises(LedgerUnavailable):
        committer.submit(prepared())


def test_a_caller_alone_commits_itself_and_others_meanwhile_wait_as_a_group() -> None:
    database = Database()
    committer = Committer(database.commit, "test")
    results: list[int] = []
    leader = threading.Thread(target=lambda: results.append(committer.commit(prepared())))
    leader.start()
    while not committer._turn.locked():
        pass
    done = [committer.submit(prepared()) for _ in range(5)]
    follower = threading.Thread(target=lambda: results.append(committer.commit(prepared())))
    follower.start()
    while committer._outstanding < 7:
        pass
    database.gate.set()
    leader.join(5)
    follower.join(5)
    assert [f.result(5) for f in done] == [2, 3, 4, 5, 6]
    assert sorted(results) == [1, 7]
    assert database.groups == [1, 6]
    assert committer.commit(prepared()) == 8
    committer.close()
    with pytest.raises(LedgerUnavailable):
        committer.commit(prepared())


def test_a_caller_alone_is_told_why_it_failed() -> None:
    database = Database()
    database.gate.set()
    committer = Committer(database.commit, "test")
    with pytest.raises(OverflowError):
        committer.commit(prepared(body="poison"))
    database.away = True
    with pytest.raises(LedgerUnavailable):
        committer.commit(prepared())
    database.away = False
    assert committer.commit(prepared()) == 1
    assert committer.submit(prepared()).result(5) == 2
    committer.close()
