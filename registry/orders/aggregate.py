"""What is known of one order when a command decides.

State made of the facts of `events.py` (design A3, PS3.3 C.4.10); apply only assigns. Imported by
`commands.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from kernel.events import Recorded
from registry.orders.events import OrderCancelled, OrderPlaced
from registry.orders.values import Order


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as its stream tells it."""

    patient_key: UUID | None = None
    order: Order | None = None
    is_open: bool = False


def apply(state: OrderState, recorded: Recorded) -> OrderState:
    """Return the order after one more event."""
    match recorded.fact:
        case OrderPlaced() as fact:
            return OrderState(fact.patient_key, fact.order, is_open=True)
        case OrderCancelled():
            return replace(state, is_open=False)
        case _:
            return state
