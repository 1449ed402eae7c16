"""Take exam orders and take them back, so that modalities find them on their worklist.

IHE RAD TF-2 4.5. Called by `pianku orders`; returns when the order is durable.
"""

from __future__ import annotations

from kernel.context import current
from kernel.identifiers import PatientId, PatientKeys
from kernel.ledger.ports import Ledger
from registry.orders import commands
from registry.orders.values import Order


class PlaceOrders:
    """Places and cancels orders. Thread safe."""

    def __init__(self, facts: Ledger, patient_keys: PatientKeys) -> None:
        self._facts = facts
        self._patient_keys = patient_keys

    def place(self, study_uid: str, order: Order) -> None:
        """Place an order; raises the refusals of `registry.orders`, BadIdentifier, StreamMoved."""
        key = self._patient_keys.key(PatientId(order.local_id, order.authority))
        state, version = self._fold(study_uid)
        batch = commands.place(
            state, version, study_uid=study_uid, patient_key=key, order=order, envelope=current()
        )
        if batch is not None:
            self._facts.append(batch)

    def cancel(self, study_uid: str) -> None:
        """Cancel an order; raises OrderNotKnown, StreamMoved."""
        state, version = self._fold(study_uid)
        self._facts.append(commands.cancel(state, version, study_uid=study_uid, envelope=current()))

    def _fold(self, study_uid: str) -> tuple[commands.OrderState, int]:
        stream = commands.order_stream(study_uid)
        return self._facts.fold(stream, commands.NOT_PLACED, commands.fold)
