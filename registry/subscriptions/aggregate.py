"""What is known of one subscription when a command decides.

State made of the facts of `events.py`; the apply function only assigns (design A3).
Imported by `commands.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kernel.events import Recorded
from registry.subscriptions import events as facts
from registry.subscriptions.values import Subscriber


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A subscription as its stream tells it."""

    subscriber: Subscriber | None = None
    terminates: int = 0
    ended: bool = False


NO_SUBSCRIPTION = SubscriptionState()


def apply_subscription(state: SubscriptionState, recorded: Recorded) -> SubscriptionState:
    """Return the subscription after one more event."""
    fact = recorded.fact
    match fact:
        case facts.SubscriptionCreated():
            return SubscriptionState(fact.subscriber, fact.terminates)
        case facts.SubscriptionRenewed():
            return replace(state, terminates=fact.terminates)
        case facts.SubscriptionCancelled() | facts.SubscriptionExpired():
            return replace(state, ended=True)
        case _:
            return state
