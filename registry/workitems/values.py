"""A workitem: its states, the well-known UIDs of its service, and what a watcher is told.

PS3.4 CC.1.1 (states), CC.2.3 (subscriptions), CC.2.4 (event types). Attributes are DICOM JSON
members by 8-digit tag (PS3.18 F). Used by commands, the view and the adapters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Any, Final, TypeAlias

Attributes: TypeAlias = dict[str, Any]
"""DICOM JSON members by tag: `{"00741000": {"vr": "CS", "Value": ["SCHEDULED"]}}`."""

UPS_PUSH: Final = "1.2.840.10008.5.1.4.34.6.1"
"""The SOP class of every workitem, whichever service speaks of it."""
GLOBAL: Final = "1.2.840.10008.5.1.4.34.5"
"""Well-known SOP Instance: all workitems."""
FILTERED: Final = "1.2.840.10008.5.1.4.34.5.1"
"""Well-known SOP Instance: all workitems that match."""
WELL_KNOWN: Final = frozenset({GLOBAL, FILTERED})


class State(StrEnum):
    """Procedure Step State (0074,1000)."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


FINAL: Final = frozenset({State.COMPLETED, State.CANCELED})


class Note(StrEnum):
    """What is said beside success."""

    NONE = ""
    MODIFIED = "modified"
    """Values were added or coerced."""
    ALREADY_CANCELED = "already_canceled"
    ALREADY_COMPLETED = "already_completed"


class EventType(IntEnum):
    """Event Type ID of what a watcher is told (PS3.4 Table CC.2.4-1)."""

    STATE_REPORT = 1
    CANCEL_REQUESTED = 2
    PROGRESS_REPORT = 3
    ASSIGNED = 5


@dataclass(frozen=True, slots=True)
class Patience:
    """When reports that were not taken are sent again, and when they are given up."""

    first: timedelta
    most: timedelta
    give_up: timedelta

    def again(self, attempt: int, moment: datetime) -> datetime:
        """Return when to try again after so many attempts in vain."""
        waits: timedelta = min(self.first * (1 << min(attempt - 1, 30)), self.most)
        return moment + waits
