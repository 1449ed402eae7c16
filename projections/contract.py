"""What a view is: its name, version, topics, tables and the projection that fills them.

Design A4. Declared by each `projections/<view>/projection.py` as `SPEC` or a `spec(...)` function;
listed in `catalogue.py`, run by `runner.py`, read through `database.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, MetaData

from kernel.events import Recorded


class Tables(Protocol):
    """The tables of one generation of a view; their names end in the generation's suffix."""

    metadata: MetaData


class Projection(Protocol):
    """Writes rows for events; called with the events of the view's topics, in order.

    One call is one transaction that the runner commits together with the view's position,
    so an event is applied exactly once. It reads nothing but its own tables and its ports.
    """

    def apply(self, connection: Connection, events: Sequence[Recorded]) -> None:
        """Turn events into rows."""
        ...


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """A view as the runner and the database know it."""

    name: str
    version: int
    """Raise it when tables or meaning change: the view is then rebuilt beside the live one."""
    topics: tuple[str, ...]
    make_tables: Callable[[str], Any]
    """Suffix -> Tables."""
    make_projection: Callable[[Any], Projection]
    """Tables -> Projection."""
    ledger: str = "facts"
