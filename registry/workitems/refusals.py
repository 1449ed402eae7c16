"""Why a workitem is not created, changed, ended, watched or found (PS3.4 CC.2, PS3.18 11).

Raised by `commands.py` and `attributes.py`; mapped by the faults of `adapters/dimse` and
`adapters/dicomweb`.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Conflict, Invalid, NotFound


class WorkitemExists(Conflict):
    """A workitem with this SOP Instance UID exists."""

    code: ClassVar[str] = "workitem_exists"


class WorkitemNotKnown(NotFound):
    """No workitem has this SOP Instance UID."""

    code: ClassVar[str] = "workitem_not_known"


class WorkitemNotScheduled(Invalid):
    """A workitem is created in the state SCHEDULED and in no other."""

    code: ClassVar[str] = "workitem_not_scheduled"


class WorkitemEnded(Conflict):
    """The workitem is COMPLETED or CANCELED and may no longer be updated."""

    code: ClassVar[str] = "workitem_ended"


class WorkitemDone(Conflict):
    """The workitem is COMPLETED; there is nothing to cancel."""

    code: ClassVar[str] = "workitem_completed"


class WorkitemNotClaimed(Conflict):
    """The workitem is not yet IN PROGRESS."""

    code: ClassVar[str] = "workitem_not_claimed"


class WorkitemInProgress(Conflict):
    """The workitem is IN PROGRESS already."""

    code: ClassVar[str] = "workitem_in_progress"


class WorkitemUnfinished(Conflict):
    """What a workitem must tell before it ends is not there; `tag` names what is missing."""

    code: ClassVar[str] = "workitem_unfinished"


class ScheduledByCreation(Conflict):
    """A workitem becomes SCHEDULED by its creation alone."""

    code: ClassVar[str] = "scheduled_by_creation"


class TransactionUidMissing(Invalid):
    """The Transaction UID of who claimed the workitem is missing."""

    code: ClassVar[str] = "transaction_uid_missing"


class TransactionUidWrong(Invalid):
    """The Transaction UID is not that of who claimed the workitem."""

    code: ClassVar[str] = "transaction_uid_wrong"


class StateUnknown(Invalid):
    """The state that is asked for is none of a workitem."""

    code: ClassVar[str] = "workitem_state_unknown"


class WorkitemAttributeMissing(Invalid):
    """A required attribute of a workitem is not there; `tag` names it."""

    code: ClassVar[str] = "workitem_attribute_missing"


class WorkitemAttributeEmpty(Invalid):
    """A required attribute of a workitem has no value; `tag` names it."""

    code: ClassVar[str] = "workitem_attribute_empty"


class WorkitemAttributeInvalid(Invalid):
    """An attribute of a workitem has a value it may not have; `tag` names it."""

    code: ClassVar[str] = "workitem_attribute_invalid"


class SubscriberNotKnown(Invalid):
    """The AE title that is to be told is malformed, or not known here."""

    code: ClassVar[str] = "subscriber_not_known"


class SubscriptionUnfit(Invalid):
    """What is asked of a subscription does not go with the workitem it names."""

    code: ClassVar[str] = "subscription_unfit"


class FilterNamesPerson(Invalid):
    """The filter of a subscription names a person, which no fact of an AE may hold."""

    code: ClassVar[str] = "filter_names_person"
