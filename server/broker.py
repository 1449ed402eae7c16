"""The notification broker put together: its book of subscriptions, and what delivers.

ITI TF-2 3.52 to 3.54 (DSUB). Called by `web_door` for `/dsub` and by `background` for the sending
beside the projector.
"""

from __future__ import annotations

from datetime import timedelta

from adapters.soap.client import SoapClient, tls_context
from adapters.xds.iti53_notify import DocumentMetadataNotify
from adapters.xds.notification_broker import Broker
from registry.subscriptions.commands import Retrying, Terms
from registry.subscriptions.consumers import AllowedConsumers
from server.settings import BadSettings
from server.wiring import Installation
from workflows.deliver_notifications import NotificationDelivery
from workflows.subscribe_to_documents import DocumentSubscriptions


def broker(here: Installation) -> Broker:
    """Return what `/dsub` stands on."""
    told = here.settings.subscriptions
    subscriptions = DocumentSubscriptions(
        here.facts,
        here.keys.patient_keys,
        here.deliveries,
        consumers=AllowedConsumers(told.consumers),
        terms=Terms(timedelta(days=told.longest_days)),
        most=told.most_per_subscriber,
    )
    return Broker(subscriptions, told.address)


def delivery(here: Installation) -> NotificationDelivery:
    """Return what sends notifications; raises BadSettings."""
    told = here.settings.subscriptions
    try:
        tls = tls_context(ca=told.ca, certificate=told.certificate, key=told.key)
    except OSError as problem:
        raise BadSettings("subscriptions.ca, certificate or key cannot be used") from problem
    notify = DocumentMetadataNotify(
        here.facts,
        here.documents,
        here.guard,
        SoapClient(here.blobs),
        AllowedConsumers(told.consumers),
        loopback_system=here.settings.guard.loopback_system,
        tls=tls,
    )
    retrying = Retrying(
        first=timedelta(seconds=told.retry_seconds),
        most=timedelta(seconds=told.longest_wait_seconds),
        give_up=timedelta(hours=told.give_up_hours),
    )
    return NotificationDelivery(here.facts, here.deliveries, notify, retrying=retrying)
