"""What happened to workitems and to those who watch them.

Facts of PS3.4 CC. The streams are `stream_id("workitem", SOPInstanceUID)`, and for each watcher
`stream_id("workitem-watcher", AE)` and `stream_id("workitem-reports", AE)`. What a workitem says of
a person is sealed for him.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

import msgspec

from kernel.events import Fact


class WorkitemCreated(Fact, frozen=True, kw_only=True):
    """A workitem was scheduled (N-CREATE, Create Workitem)."""

    TOPIC: ClassVar[str] = "workitem.created:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    """DICOM JSON members."""


class WorkitemChanged(Fact, frozen=True, kw_only=True):
    """Attributes of a workitem were changed (N-SET, Update Workitem)."""

    TOPIC: ClassVar[str] = "workitem.changed:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    """Those that changed."""


class WorkitemClaimed(Fact, frozen=True, kw_only=True):
    """A performer took a workitem: it is IN PROGRESS, and his alone to change."""

    TOPIC: ClassVar[str] = "workitem.claimed:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    transaction_uid: str
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class WorkitemCompleted(Fact, frozen=True, kw_only=True):
    """A workitem was performed."""

    TOPIC: ClassVar[str] = "workitem.completed:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class WorkitemCanceled(Fact, frozen=True, kw_only=True):
    """A workitem was given up, by its performer or before anybody took it."""

    TOPIC: ClassVar[str] = "workitem.canceled:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class WorkitemCancelRequested(Fact, frozen=True, kw_only=True):
    """Somebody asked the performer of a workitem to give it up."""

    TOPIC: ClassVar[str] = "workitem.cancel_requested:v1"
    PERSONAL: ClassVar[frozenset[str]] = frozenset({"attributes"})
    sop_uid: str
    patient_key: UUID
    requester: str = ""
    """AE title."""
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)
    """Reason and contact (PS3.4 Table CC.2.2-1)."""


class WorkitemSubscribed(Fact, frozen=True, kw_only=True):
    """An AE wants to be told of a workitem, or of all (`sop_uid` is then well known)."""

    TOPIC: ClassVar[str] = "workitem.subscribed:v1"
    ae_title: str
    sop_uid: str
    deletion_lock: bool = False
    filters: dict[str, str] = msgspec.field(default_factory=dict)
    """Path of tags, joined by dots -> value; never of attributes that name a person."""


class WorkitemUnsubscribed(Fact, frozen=True, kw_only=True):
    """An AE wants to be told no more: of a workitem, or (`sop_uid` well known) of any."""

    TOPIC: ClassVar[str] = "workitem.unsubscribed:v1"
    ae_title: str
    sop_uid: str


class WorkitemsSuspended(Fact, frozen=True, kw_only=True):
    """An AE wants to be told of no workitems that are created from now on."""

    TOPIC: ClassVar[str] = "workitem.suspended:v1"
    ae_title: str
    sop_uid: str


class WorkitemReportsTaken(Fact, frozen=True, kw_only=True):
    """An AE took all reports up to a number."""

    TOPIC: ClassVar[str] = "workitem_report.taken:v1"
    ae_title: str
    through: int


class WorkitemReportsDelayed(Fact, frozen=True, kw_only=True):
    """An AE did not take its next report; it is sent again."""

    TOPIC: ClassVar[str] = "workitem_report.delayed:v1"
    ae_title: str
    attempt: int
    reason: str
    again: int
    """Microseconds since 1970."""


class WorkitemReportsAbandoned(Fact, frozen=True, kw_only=True):
    """An AE never took its reports up to a number; those are sent no more."""

    TOPIC: ClassVar[str] = "workitem_report.abandoned:v1"
    ae_title: str
    through: int
    reason: str
