"""Deliver notifications: each subscription's in order, again until taken, or abandoned in time.

Implements the sending side of ITI TF-2 3.53.4.1. At least once: what was sent but not yet recorded
when everything stopped is sent again. Run beside the projector by `server.background`.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol
from uuid import UUID

from kernel.context import Envelope, acting_as
from kernel.ledger.ports import Ledger, StreamMoved
from kernel.refusals import Forbidden, Invalid, NotFound, Refusal
from kernel.times import Clock, now
from projections.delivery_queue.view import DeliveryQueue, Notification, Subscription
from registry.subscriptions import commands
from registry.subscriptions.commands import Retrying
from registry.subscriptions.refusals import ConsumerUnavailable

log = logging.getLogger("pianku.notifications")
_AT_ONCE: Final = 100
"""Notifications of one subscription before the others have their turn."""
_PAGE: Final = 200


class Notifies(Protocol):
    """Sends one notification."""

    def __call__(self, subscription: Subscription, notification: Notification) -> None:
        """Send it, if that is still right.

        Raises ConsumerUnavailable when the consumer did not take it; Forbidden, NotFound or
        Invalid when it must not be sent; Unavailable when we cannot tell now.
        """
        ...


class NotificationDelivery:
    """Sends what waits, each subscription on one thread at a time."""

    def __init__(
        self,
        facts: Ledger,
        queue: DeliveryQueue,
        notify: Notifies,
        *,
        retrying: Retrying,
        senders: int = 8,
        look_seconds: float = 0.5,
        clock: Clock = now,
    ) -> None:
        self._facts = facts
        self._queue = queue
        self._notify = notify
        self._retrying = retrying
        self._senders = senders
        self._look_seconds = look_seconds
        self._clock = clock
        self._busy: set[UUID] = set()
        self._lock = threading.Lock()
        self._more = threading.Event()

    def run(self, stopping: threading.Event) -> None:
        """Deliver until `stopping` is set; what is being sent then is sent to its end."""
        with ThreadPoolExecutor(self._senders, "notify") as pool:
            while not stopping.is_set():
                self._more.clear()
                try:
                    self.expire_due()
                    for subscription in self._take_due():
                        pool.submit(self._served, subscription, stopping)
                except Refusal as refusal:
                    # The view is behind or being rebuilt: look again later.
                    log.info("notifications wait", extra={"code": refusal.code})
                self._more.wait(self._look_seconds)

    def deliver_due(self) -> int:
        """Deliver what is due now, one subscription after the other; returns how many were."""
        stopping = threading.Event()
        return sum(self._serve(subscription, stopping) for subscription in self._take_due())

    def expire_due(self) -> None:
        """Record of subscriptions whose time is over that it is."""
        moment = self._clock()
        for subscription in self._queue.over(moment, _PAGE):
            state, version = self._facts.fold(
                subscription, commands.NO_SUBSCRIPTION, commands.apply_subscription
            )
            batch = commands.expire(subscription, state, version, moment)
            if batch is not None:
                try:
                    self._facts.append(batch)
                except StreamMoved:
                    continue  # renewed or ended this moment: the next look will tell

    def _take_due(self) -> list[UUID]:
        due = self._queue.due(self._clock(), _PAGE + len(self._busy))
        with self._lock:
            taken = [subscription for subscription in due if subscription not in self._busy]
            self._busy.update(taken)
        return taken

    def _served(self, subscription: UUID, stopping: threading.Event) -> None:
        try:
            self._serve(subscription, stopping)
        except Refusal as refusal:
            log.info("notifications wait", extra={"code": refusal.code})
        except Exception as problem:  # noqa: BLE001 - its text may quote metadata
            log.error(  # noqa: TRY400
                "notifications wait", extra={"problem": type(problem).__name__}
            )

    def _serve(self, subscription: UUID, stopping: threading.Event) -> int:
        delivered = 0
        try:
            with acting_as(Envelope(subject="broker", protocol="workflow")):
                for _ in range(_AT_ONCE):
                    outcome = None if stopping.is_set() else self._step(subscription)
                    if outcome is None:
                        return delivered
                    delivered += outcome
            self._more.set()
        finally:
            with self._lock:
                self._busy.discard(subscription)
        return delivered

    def _step(self, subscription: UUID) -> int | None:
        """Settle the oldest waiting notification: 1 delivered, 0 withheld, None to pause."""
        notification = self._queue.next(subscription)
        held = self._queue.subscription(subscription)
        if notification is None or held is None or held.again > self._clock():
            return None
        told = notification.id
        try:
            self._notify(held, notification)
        except ConsumerUnavailable as refusal:
            self._not_taken(held, notification, str(refusal.details.get("why") or refusal.code))
            return None
        except (Forbidden, NotFound, Invalid) as refusal:
            self._facts.append(commands.withheld(told, refusal.code))
            return 0
        except Refusal:
            raise  # ours, not the consumer's: it costs no attempt
        except Exception as problem:
            # One notification that cannot be made must not stop the others. The text of an
            # exception may quote metadata: only its kind is told.
            kind = type(problem).__name__
            log.error("notification cannot be made", extra={"problem": kind})  # noqa: TRY400
            log.debug("notification cannot be made for", exc_info=problem)
            self._not_taken(held, notification, type(problem).__name__)
            return None
        self._facts.append(commands.delivered(told, notification.patient_key))
        return 1

    def _not_taken(self, held: Subscription, notification: Notification, reason: str) -> None:
        """Record an attempt in vain, and give up whatever is too old with it."""
        moment, attempt = self._clock(), held.attempts + 1
        trying: Notification | None = notification
        while trying is not None:
            batch = commands.not_taken(
                trying.id, trying.caused, attempt, reason, moment, retrying=self._retrying
            )
            self._facts.append(batch)
            abandoned = moment - trying.caused >= self._retrying.give_up
            log.warning(
                "notification abandoned" if abandoned else "notification delayed",
                extra={"subscription": str(held.subscription), "attempt": attempt},
            )
            if not abandoned:
                return
            # The consumer has just failed: what is as old need not be tried one by one.
            trying = self._queue.next(held.subscription)
            if trying is not None and moment - trying.caused < self._retrying.give_up:
                return
