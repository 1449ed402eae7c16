"""What happened to exam orders. The stream is `stream_id("order", studyInstanceUID)`.

Facts of IHE RAD TF-2 4.5 (worklist). What an order says of a person is sealed for him.
"""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from kernel.events import Fact
from registry.orders.values import Order


class OrderPlaced(Fact, frozen=True, kw_only=True):
    """An examination was ordered and scheduled."""

    TOPIC: ClassVar[str] = "order.placed:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"order"})
    study_uid: str
    """The Study Instance UID its images are to carry."""
    patient_key: UUID
    order: Order = Order()


class OrderCancelled(Fact, frozen=True, kw_only=True):
    """An examination will not be made."""

    TOPIC: ClassVar[str] = "order.cancelled:v1"
    study_uid: str
    patient_key: UUID
