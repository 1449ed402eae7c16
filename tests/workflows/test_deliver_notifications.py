"""Delivery: in order, again until taken, abandoned in time, one subscription never holding up others.

ITI TF-2 3.53; the consumer is played by the test, the clock is set by hand.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from kernel.refusals import Forbidden, Unavailable
from kernel.times import from_micros, micros
from projections.delivery_queue.view import Notification, Subscription
from registry.subscriptions.commands import Retrying
from registry.subscriptions.refusals import (
    ConsumerNotAllowed,
    ConsumerUnavailable,
    NothingToTell,
    SubscriptionUnknown,
    TooManySubscriptions,
)
from registry.subscriptions.values import Criteria, Kind
from tests.support.broker import LOOPBACK, BrokerNode, broker_node
from tests.support.submissions import OTHER_PATIENT, entry
from workflows.deliver_notifications import NotificationDelivery

RETRYING = Retrying(timedelta(seconds=10), timedelta(minutes=1), timedelta(hours=1))


class Consumer:
    """Takes notifications, or raises what it is told to."""

    def __init__(self) -> None:
        self.taken: list[UUID] = []
        self.offered = 0
        self.problem: Exception | None = None
        self.problem_of: dict[UUID, Exception] = {}

    def __call__(self, subscription: Subscription, notification: Notification) -> None:
        self.offered += 1
        problem = self.problem_of.get(subscription.subscription, self.problem)
        if problem is not None:
            raise problem
        self.taken.append(notification.entry_uuid)


@pytest.fixture
def node(tmp_path: Path) -> Generator[BrokerNode]:
    with broker_node(tmp_path) as made:
        yield made


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def delivery(node: BrokerNode, consumer: Consumer) -> NotificationDelivery:
    return NotificationDelivery(
        node.place.facts, node.queue, consumer,
        retrying=RETRYING, look_seconds=0.02, clock=node.place.clock,
    )  # fmt: skip


def test_what_waits_is_delivered_in_order_and_once(
    node: BrokerNode, consumer: Consumer, delivery: NotificationDelivery
) -> None:
    made = node.subscribe()
    expected = [e.entry_uuid for _ in range(3) for e in node.registered(entry(), entry()).entries]
    node.queue.next(made.subscription)  # the projector is there
    assert delivery.deliver_due() == 6
    assert consumer.taken == expected
    assert delivery.deliver_due() == 0
    assert node.told(made, "delivered") == expected


def test_a_consumer_that_fails_is_tried_less_and_less_often(
    node: BrokerNode, consumer: Consumer, delivery: NotificationDelivery
) -> None:
    made, clock = node.subscribe(), node.place.clock
    told = [e.entry_uuid for e in node.registered(entry(), entry()).entries]
    consumer.problem = ConsumerUnavailable(why="HTTP 503")
    node.queue.next(made.subscription)
    waits = []
    for _ in range(5):
        offered = consumer.offered
        assert delivery.deliver_due() == 0
        assert consumer.offered == offered + 1, "only the oldest is tried"
        held = node.queue.subscription(made.subscription)
        assert held is not None
        waits.append((held.again - clock()).total_seconds())
        assert delivery.deliver_due() == 0
        assert consumer.offered == offered + 1, "not before its time"
        clock.moment = held.again
    assert waits == [10, 20, 40, 60, 60]
    assert [n.reason for n in node.queue.notifications(made.subscription)] == ["HTTP 503", ""]

    consumer.problem = None
    assert delivery.deliver_due() == 2
    assert consumer.taken == told
    held = node.queue.subscription(made.subscription)
    assert held is not None
    assert held.attempts == 0


def test_what_is_too_old_is_abandoned_with_one_attempt_and_the_rest_goes_on(
    node: BrokerNode, consumer: Consumer, delivery: NotificationDelivery
) -> None:
    made, clock = node.subscribe(), node.place.clock
    node.registered(entry(), entry(), entry())
    clock.moment += timedelta(hours=2)
    consumer.problem = ConsumerUnavailable()
    node.queue.next(made.subscription)
    delivery.deliver_due()
    assert consumer.offered == 1
    assert len(node.told(made, "dead")) == 3
    fresh = node.registered(entry())
    consumer.problem = None
    clock.moment += timedelta(minutes=2)
    node.queue.next(made.subscription)
    assert delivery.deliver_due() == 1
    assert consumer.taken == [fresh.entries[0].entry_uuid]


@pytest.mark.parametrize("problem", [Forbidden(), NothingToTell(), ConsumerNotAllowed()])
def test_what_must_not_be_sent_is_withheld_and_the_next_is_looked_at(
    node: BrokerNode, consumer: Consumer, delivery: NotificationDelivery, problem: Exception
) -> None:
    made = node.subscribe()
    told = node.registered(entry(), entry())
    consumer.problem = problem
    node.queue.next(made.subscription)
    assert delivery.deliver_due() == 0
    assert node.told(made, "withheld") == [e.entry_uuid for e in told.entries]
    reasons = {n.reason for n in node.queue.notifications(made.subscription)}
    assert reasons == {problem.code}  # type: ignore[attr-defined]


def test_what_we_cannot_do_ourselves_costs_no_attempt(
    node: BrokerNode, consumer: Consumer, delivery: NotificationDelivery
) -> None:
    made = node.subscribe()
    told = node.registered(entry())
    consumer.problem = Unavailable()
    node.queue.next(made.subscription)
    with pytest.raises(Unavailable):
        delivery.deliver_due()
    held = node.queue.subscription(made.subscription)
    assert held is not None
    assert held.attempts == 0
    consumer.problem = None
    assert delivery.deliver_due() == 1
    assert consumer.taken == [told.entries[0].entry_uuid]


def test_a_mistake_of_ours_is_retried_like_a_failure(
    node: BrokerNode, consumer: Consumer, delivery: NotificationDelivery,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level("INFO")
    made = node.subscribe()
    node.registered(entry())
    consumer.problem = ZeroDivisionError("quotes a patient")
    node.queue.next(made.subscription)
    assert delivery.deliver_due() == 0
    (notification,) = node.queue.notifications(made.subscription)
    assert (notification.state, notification.reason) == ("waiting", "ZeroDivisionError")
    assert "notification cannot be made" in caplog.text
    assert "quotes a patient" not in caplog.text


def test_one_dead_consumer_does_not_hold_up_the_others(
    node: BrokerNode, consumer: Consumer, delivery: NotificationDelivery
) -> None:
    bad = node.subscribe()
    good = node.subscribe(Criteria(kind=Kind.DOCUMENT, patient_id=OTHER_PATIENT))
    consumer.problem_of[bad.subscription] = ConsumerUnavailable()
    node.registered(entry())
    told = node.registered(entry(OTHER_PATIENT))
    stopping = threading.Event()
    thread = threading.Thread(target=delivery.run, args=(stopping,))
    thread.start()
    deadline = time.monotonic() + 10
    while not consumer.taken and time.monotonic() < deadline:
        time.sleep(0.01)
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()
    assert consumer.taken == [told.entries[0].entry_uuid]
    assert node.told(good, "delivered") == consumer.taken


def test_sent_but_not_recorded_is_sent_again(
    node: BrokerNode, consumer: Consumer, delivery: NotificationDelivery
) -> None:
    made = node.subscribe()
    told = node.registered(entry())
    notification = node.queue.next(made.subscription)
    held = node.queue.subscription(made.subscription)
    assert notification is not None
    assert held is not None
    consumer(held, notification)  # ... and here the process is killed
    assert delivery.deliver_due() == 1
    assert consumer.taken == [told.entries[0].entry_uuid] * 2


def test_an_end_is_recorded_and_what_came_before_it_still_delivered(
    node: BrokerNode, consumer: Consumer, delivery: NotificationDelivery
) -> None:
    made = node.subscribe(termination="PT1H")
    told = node.registered(entry())
    node.place.clock.moment += timedelta(hours=2)
    node.queue.next(made.subscription)
    delivery.expire_due()
    delivery.expire_due()
    held = node.queue.subscription(made.subscription)
    assert held is not None
    assert held.state == "expired"
    assert delivery.deliver_due() == 1
    assert consumer.taken == [told.entries[0].entry_uuid]


def test_a_renewal_keeps_a_subscription_alive(node: BrokerNode) -> None:
    made, clock = node.subscribe(termination="PT1H"), node.place.clock
    renewed = node.subscriptions.renew(made.subscription, LOOPBACK, "PT5H")
    # The ledger keeps whole microseconds and so does the answer.
    assert renewed.terminates == from_micros(micros(clock())) + timedelta(hours=5)
    held = node.queue.subscription(made.subscription)
    assert held is not None
    assert held.terminates == renewed.terminates


def test_nobody_subscribes_without_bound(node: BrokerNode) -> None:
    for _ in range(20):
        node.subscribe()
    with pytest.raises(TooManySubscriptions):
        node.subscribe()


def test_no_subscription_is_made_to_an_address_that_is_not_allowed(node: BrokerNode) -> None:
    with pytest.raises(ConsumerNotAllowed):
        node.subscribe(consumer="http://169.254.169.254/latest")
    with pytest.raises(SubscriptionUnknown):
        node.subscriptions.cancel(UUID(int=1), LOOPBACK)
