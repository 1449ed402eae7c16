"""What a notification says of instances.

Implements the Referenced Series Sequence of PS3.3 C.4.23. Used by commands, the view, the
workflows and the DIMSE adapter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

ONLINE: Final = "ONLINE"
UNAVAILABLE: Final = "UNAVAILABLE"
AVAILABILITIES: Final = frozenset({ONLINE, "NEARLINE", "OFFLINE", UNAVAILABLE})
"""Instance Availability (0008,0056), PS3.3 C.4.23.1.1."""


class Available(msgspec.Struct, frozen=True, array_like=True):
    """Instances of one series of which the same is said, one after the other."""

    series_uid: str
    sop_class: str
    availability: str
    retrieve_ae: str
    sop_uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification, which is of one study."""

    sop_uid: str
    """Of the notification itself."""
    study_uid: str
    step_uid: str
    """The performed procedure step it belongs to; empty for none."""
    instances: tuple[Available, ...]

    @property
    def count(self) -> int:
        """Return how many instances it names."""
        return sum(len(part.sop_uids) for part in self.instances)
