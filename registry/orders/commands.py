"""The only door in: what may be recorded of an order, decided before it is recorded.

Pure functions from past events and a request to an `Append` (IHE RAD TF-2 4.5, lengths of PS3.5
6.2). Called by `workflows.place_orders`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from kernel.context import Envelope
from kernel.events import Recorded
from kernel.identifiers import stream_id
from kernel.ledger.ports import Append, StreamAppend
from registry.orders.aggregate import OrderState, apply
from registry.orders.events import OrderCancelled, OrderPlaced
from registry.orders.refusals import OrderExists, OrderInvalid, OrderNotKnown
from registry.orders.values import Order

__all__ = ["OrderState"]

NOT_PLACED: Final = OrderState()
_LONGEST: Final = {
    "local_id": 64, "name": 324, "birth_date": 8, "sex": 1, "accession": 16, "procedure_id": 16,
    "procedure": 64, "referring": 324, "modality": 16, "station_ae": 16, "station_name": 16,
    "starts": 14, "step_id": 16, "step": 64, "performing": 324,
}  # fmt: skip
_REQUIRED: Final = ("local_id", "name", "modality", "starts", "step_id", "procedure_id")


def order_stream(study_uid: str) -> UUID:
    """Return the stream of an order."""
    return stream_id("order", study_uid)


def fold(state: OrderState, recorded: Recorded) -> OrderState:
    """Return the order after one more event; for `Ledger.fold` with `NOT_PLACED`."""
    return apply(state, recorded)


def place(
    state: OrderState,
    version: int,
    *,
    study_uid: str,
    patient_key: UUID,
    order: Order,
    envelope: Envelope,
) -> Append | None:
    """Record an order; None when the same is placed already. Raises OrderInvalid, OrderExists."""
    _check(order)
    if state.order is not None:
        if state.is_open and state.order == order:
            return None
        raise OrderExists(study_uid=study_uid)
    fact = OrderPlaced(study_uid=study_uid, patient_key=patient_key, order=order)
    return _append(fact, patient_key, version, envelope)


def cancel(state: OrderState, version: int, *, study_uid: str, envelope: Envelope) -> Append:
    """Record that an order is off; raises OrderNotKnown."""
    if not state.is_open or state.patient_key is None:
        raise OrderNotKnown(study_uid=study_uid)
    fact = OrderCancelled(study_uid=study_uid, patient_key=state.patient_key)
    return _append(fact, state.patient_key, version, envelope)


def _append(
    fact: OrderPlaced | OrderCancelled, patient_key: UUID, version: int, envelope: Envelope
) -> Append:
    stream = StreamAppend(
        order_stream(fact.study_uid), (fact,), expected_version=version, patient_key=patient_key
    )
    return Append((stream,), (), envelope)


def _check(order: Order) -> None:
    for name, longest in _LONGEST.items():
        text = str(getattr(order, name))
        if len(text) > longest or "\\" in text or any(ord(c) < 32 for c in text):
            raise OrderInvalid(f"{name} is longer than {longest}, or holds what it may not")
    for name in _REQUIRED:
        if not getattr(order, name):
            raise OrderInvalid(f"{name} is missing")
    try:
        datetime.strptime(order.starts, "%Y%m%d%H%M%S")  # noqa: DTZ007 - local by definition
    except ValueError:
        raise OrderInvalid("starts is no moment YYYYMMDDHHMMSS") from None
    if len(order.starts) != 14:
        raise OrderInvalid("starts is no moment YYYYMMDDHHMMSS")
    if order.birth_date and not (order.birth_date.isdigit() and len(order.birth_date) == 8):
        raise OrderInvalid("birth_date is no date YYYYMMDD")
