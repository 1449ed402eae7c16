"""What happened to notifications of availability, those we took and those we send.

Facts of PS3.4 R; they hold no personal data, which the standard forbids in them. Streams:
`stream_id("availability", "AE/StudyInstanceUID")`,
`stream_id("availability-notice", SOPInstanceUID)`
and one of the recipients.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.events import Fact
from registry.availability.values import Available


class RecipientAdded(Fact, frozen=True, kw_only=True):
    """From now on an AE is told when a study is complete, or something of it was rejected."""

    TOPIC: ClassVar[str] = "availability.recipient-added:v1"
    ae_title: str


class RecipientRemoved(Fact, frozen=True, kw_only=True):
    """An AE is told no more."""

    TOPIC: ClassVar[str] = "availability.recipient-removed:v1"
    ae_title: str


class AvailabilityNoted(Fact, frozen=True, kw_only=True):
    """Another archive told us what is available, and where."""

    TOPIC: ClassVar[str] = "availability.noted:v1"
    sop_uid: str
    study_uid: str
    source: str
    """Calling AE title."""
    step_uid: str = ""
    instances: tuple[Available, ...] = ()


class AvailabilityTold(Fact, frozen=True, kw_only=True):
    """An AE took our notification of a study as it stood at a position of the ledger."""

    TOPIC: ClassVar[str] = "availability.told:v1"
    ae_title: str
    study_uid: str
    through: int
    notice_uid: str
    instance_count: int


class AvailabilityDelayed(Fact, frozen=True, kw_only=True):
    """An AE did not take our notification; it is sent again."""

    TOPIC: ClassVar[str] = "availability.delayed:v1"
    ae_title: str
    study_uid: str
    through: int
    attempt: int
    reason: str
    again: int
    """Microseconds since 1970."""


class AvailabilityAbandoned(Fact, frozen=True, kw_only=True):
    """An AE never took our notification; it is sent no more unless the study changes."""

    TOPIC: ClassVar[str] = "availability.abandoned:v1"
    ae_title: str
    study_uid: str
    through: int
    attempt: int
    reason: str
