"""The views as they stood at a moment: an auditor's "what did the doctor see?".

Design A3 (replay): the facts ledger is read up to a position into scratch views beside the live
ones; nothing live is touched. Called by `pianku events replay`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kernel.refusals import Invalid
from kernel.times import parse_dtm
from projections.database import ViewsDatabase, sqlite_engine
from projections.runner import Runner
from server.wiring import Installation

_BATCH: Final = 1000


class BadMoment(Invalid):
    """Neither a position nor a time."""

    code = "bad_moment"


def position_of(installation: Installation, until: str) -> int:
    """Return the position that `until` means: a number, an ISO 8601 time, or a DTM (UTC)."""
    ledger = installation.facts
    if until.isdigit() and len(until) < 14:
        return min(int(until), ledger.head())
    try:
        moment = parse_dtm(until) if until.isdigit() else datetime.fromisoformat(until)
    except ValueError as problem:
        raise BadMoment(f"{until!r} is neither a position nor a time") from problem
    if moment.tzinfo is None:
        moment = moment.astimezone()  # a person writes the time of the clock on the wall
    return ledger.position_at(moment.astimezone(UTC))


def replay(
    installation: Installation,
    position: int,
    file: Path,
    *,
    told: Callable[[int], None] = lambda _done: None,
) -> ViewsDatabase:
    """Build the views of the facts ledger as they stood at `position` into a SQLite file."""
    specs = [s for s in installation.view_specs() if s.ledger == "facts"]
    views = ViewsDatabase(
        sqlite_engine(str(file), writer=False),
        sqlite_engine(str(file), writer=True),
        specs,
        {"facts": lambda: position},
    )
    views.create()
    runner = Runner(views, {"facts": installation.facts})
    done = 0
    while done < position:
        batch = installation.facts.read(done, _BATCH, until=position)
        if not batch:
            break
        runner.apply("facts", batch)
        done = batch[-1].position
        told(done)
    return views
