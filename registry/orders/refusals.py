"""Why an order is not taken.

IHE RAD TF-2 4.5. Raised by `commands.py`; mapped by each protocol's `faults.py`.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Conflict, Invalid, NotFound


class OrderInvalid(Invalid):
    """A member of the order is missing, too long, or no date."""

    code: ClassVar[str] = "order_invalid"


class OrderExists(Conflict):
    """Another order has this Study Instance UID."""

    code: ClassVar[str] = "order_exists"


class OrderNotKnown(NotFound):
    """No order with this Study Instance UID is open."""

    code: ClassVar[str] = "order_not_known"
