"""The names of WS-BaseNotification on the wire, and those DSUB adds.

Implements WS-BaseNotification 1.3 (namespaces, actions), ITI TF-2 3.52.5 (topics, filter ids).
Used by the `wsn_*` modules and the transactions ITI-52, ITI-53 and ITI-54.
"""

from __future__ import annotations

from typing import Final

from registry.subscriptions.values import Kind

WSNT: Final = "http://docs.oasis-open.org/wsn/b-2"
WSRF_BF: Final = "http://docs.oasis-open.org/wsrf/bf-2"
WSRF_R: Final = "http://docs.oasis-open.org/wsrf/r-2"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

_ACTIONS: Final = "http://docs.oasis-open.org/wsn/bw-2"
SUBSCRIBE: Final = f"{_ACTIONS}/NotificationProducer/SubscribeRequest"
SUBSCRIBE_RESPONSE: Final = f"{_ACTIONS}/NotificationProducer/SubscribeResponse"
UNSUBSCRIBE: Final = f"{_ACTIONS}/SubscriptionManager/UnsubscribeRequest"
UNSUBSCRIBE_RESPONSE: Final = f"{_ACTIONS}/SubscriptionManager/UnsubscribeResponse"
RENEW: Final = f"{_ACTIONS}/SubscriptionManager/RenewRequest"
RENEW_RESPONSE: Final = f"{_ACTIONS}/SubscriptionManager/RenewResponse"
NOTIFY: Final = f"{_ACTIONS}/NotificationConsumer/Notify"
FAULT: Final = "http://docs.oasis-open.org/wsn/fault"

SIMPLE: Final = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple"
DIALECTS: Final = frozenset(
    {
        SIMPLE,
        "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete",
        # As the examples of the DSUB supplements print them, and products copy them.
        "http://docs.oasis-open.org/wsn/t1/TopicExpression/Simple",
        "http://docs.oasis-open.org/wsn/t1/TopicExpression/Concrete",
    }
)

DOCUMENT_FILTER: Final = "urn:uuid:aa2332d0-f8fe-11e0-be50-0800200c9a66"
ANY_PATIENTS_DOCUMENT_FILTER: Final = "urn:uuid:742790e0-aba6-43d6-9f1f-e43ed9790b79"
SUBMISSION_SET_FILTER: Final = "urn:uuid:fbede94e-dbdc-4f6b-bc1f-d730e677cece"
ANY_PATIENTS_SUBMISSION_SET_FILTER: Final = "urn:uuid:868cad3d-ec09-4565-b66c-1be10d034399"
FOLDER_FILTER: Final = "urn:uuid:9376254e-da05-41f5-9af3-ac56d63d8ebd"

FILTERS: Final = {
    DOCUMENT_FILTER: (Kind.DOCUMENT, True),
    ANY_PATIENTS_DOCUMENT_FILTER: (Kind.DOCUMENT, False),
    SUBMISSION_SET_FILTER: (Kind.SUBMISSION_SET, True),
    ANY_PATIENTS_SUBMISSION_SET_FILTER: (Kind.SUBMISSION_SET, False),
    FOLDER_FILTER: (Kind.FOLDER, True),
}
"""Filter id -> what it is about, and whether it names a patient."""
