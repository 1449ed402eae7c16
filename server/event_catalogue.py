"""Every kind of fact this product records: TOPIC -> class, for all ledgers.

Design A3. The frozen JSON Schemas in `schemas/events` are checked against this list by
tests/architecture; called by `wiring`.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Final

from kernel.events import Fact
from kernel.ledger.topics import TopicTable
from registry.access import events as access
from registry.audit import events as audit
from registry.availability import events as availability
from registry.commitments import events as commitments
from registry.documents import events as documents
from registry.orders import events as orders
from registry.patients import events as patients
from registry.procedure_steps import events as procedure_steps
from registry.studies import events as studies
from registry.subscriptions import events as subscriptions
from registry.workitems import events as workitems
from repository.objects import events as objects

_ROOMS: Final[tuple[ModuleType, ...]] = (
    access,
    audit,
    availability,
    commitments,
    documents,
    objects,
    orders,
    patients,
    procedure_steps,
    studies,
    subscriptions,
    workitems,
)


def facts() -> tuple[type[Fact], ...]:
    """Return every fact class of every room, ordered by topic."""
    found = [
        member
        for room in _ROOMS
        for _, member in inspect.getmembers(room, inspect.isclass)
        if issubclass(member, Fact) and member is not Fact
    ]
    return tuple(sorted(found, key=lambda fact: fact.TOPIC))


def topic_table() -> TopicTable:
    """Return the table that turns stored topics into classes."""
    return TopicTable(facts())
