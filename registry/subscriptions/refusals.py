"""Why a subscription, its renewal or its end was refused (ITI TF-2 3.52).

Raised by `commands.py` and by the adapter that reads filters; `adapters/xds` gives each its fault.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Conflict, Forbidden, Invalid, NotFound, TooMuch, Unavailable


class FilterInvalid(Invalid):
    """The filter of the subscription is missing or cannot be evaluated."""

    code: ClassVar[str] = "filter_invalid"


class TopicNotSupported(Invalid):
    """The topic is not one that notifications are made for, or does not go with the filter."""

    code: ClassVar[str] = "topic_not_supported"


class TopicDialectUnknown(Invalid):
    """The topic expression is written in a dialect that is not spoken here."""

    code: ClassVar[str] = "topic_dialect_unknown"


class InitialTerminationTimeUnacceptable(Invalid):
    """The subscription cannot be made to end at the time asked for."""

    code: ClassVar[str] = "initial_termination_time_unacceptable"


class TerminationTimeUnacceptable(Invalid):
    """The subscription cannot be renewed until the time asked for."""

    code: ClassVar[str] = "termination_time_unacceptable"


class ConsumerNotAllowed(Invalid):
    """Notifications are not sent to this address."""

    code: ClassVar[str] = "consumer_not_allowed"


class PolicyRequestUnsupported(Invalid):
    """The subscription asks for a policy of delivery that is not offered."""

    code: ClassVar[str] = "policy_request_unsupported"


class SubscriptionUnknown(NotFound):
    """There is no such subscription in force."""

    code: ClassVar[str] = "subscription_unknown"


class SubscriptionEnded(Conflict):
    """The subscription has already come to its end."""

    code: ClassVar[str] = "subscription_ended"


class SubscriptionNotYours(Forbidden):
    """Only the one who subscribed may end or renew the subscription."""

    code: ClassVar[str] = "subscription_not_yours"


class TooManySubscriptions(TooMuch):
    """The subscriber has as many subscriptions as one may have."""

    code: ClassVar[str] = "too_many_subscriptions"


class PublicationEmpty(Invalid):
    """The publication tells of no document, submission set or folder."""

    code: ClassVar[str] = "publication_empty"


class ConsumerUnavailable(Unavailable):
    """The consumer cannot be reached, or did not take the notification."""

    code: ClassVar[str] = "consumer_unavailable"


class NothingToTell(NotFound):
    """What the notification was about is not there any more."""

    code: ClassVar[str] = "nothing_to_tell"
