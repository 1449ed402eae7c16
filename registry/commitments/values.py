"""What is asked for by a commitment, and the judgement on each instance.

Implements the Referenced and Failed SOP Sequences of PS3.4 J.3.2 and J.3.3. Used by commands,
the workflows and the DIMSE adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

import msgspec


class Reference(msgspec.Struct, frozen=True, array_like=True):
    """An instance that is named: class and instance."""

    sop_class: str
    sop_uid: str


class FailureReason(IntEnum):
    """Why an instance is not committed (PS3.3 C.14.1.1)."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    CLASS_CONFLICT = 0x0119


@dataclass(frozen=True, slots=True)
class Judged:
    """Which of the instances asked for are kept, and which are not."""

    committed: tuple[Reference, ...]
    failed: tuple[tuple[Reference, FailureReason], ...]


@dataclass(frozen=True, slots=True)
class Retrying:
    """When a report that was not taken is sent again, and when it is given up."""

    first: timedelta
    most: timedelta
    give_up: timedelta

    def again(self, attempt: int, moment: datetime) -> datetime:
        """Return when to try again after so many attempts in vain."""
        waits: timedelta = min(self.first * (1 << min(attempt - 1, 30)), self.most)
        return moment + waits
