"""Tell other systems what of a study is available, until they take it or in time it is given up.

PS3.4 R (Instance Availability Notification), IHE RAD TF-2 4.49. What was sent but not yet recorded
when everything stopped is sent again, under the same UID. Run beside the projector.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final, Protocol

from kernel.context import Envelope, acting_as, current
from kernel.identifiers import stable_uid
from kernel.ledger.ports import Append, Ledger, StreamMoved
from kernel.refusals import Refusal, Unavailable
from kernel.times import Clock, now
from projections.availability.view import Owed
from projections.procedure_steps.view import PerformedStep
from projections.study_index.view import InstanceRow
from registry.availability import commands
from registry.availability.refusals import NoticeExists
from registry.availability.values import ONLINE, UNAVAILABLE, Available, Notice
from registry.commitments.values import Retrying

log = logging.getLogger("pianku.availability")
_LOOK_SECONDS: Final = 0.5


class NoticeNotTaken(Unavailable):
    """The AE cannot be reached, or did not take the notification."""

    code = "notice_not_taken"


class Sends(Protocol):
    """Sends one notification."""

    def __call__(self, address: tuple[str, int], ae_title: str, notice: Notice) -> None:
        """Send it; raises NoticeNotTaken."""
        ...


class Addresses(Protocol):
    """Knows where AEs are reached; the guard is one."""

    def destination(self, ae_title: str) -> tuple[str, int] | None:
        """Return host and port, None when they are not known."""
        ...


class Queue(Protocol):
    """The view of what is owed."""

    def due_titles(self, moment: datetime) -> Sequence[str]:
        """Return the AE titles that are owed something now."""
        ...

    def due(self, ae_title: str, moment: datetime) -> Sequence[Owed]:
        """Return what an AE is owed now."""
        ...


class Studies(Protocol):
    """The study index."""

    def instances_of(self, study_uid: str) -> Sequence[InstanceRow]:
        """Return the instances that may be used."""
        ...

    def instances_for_manifest(self, study_uid: str) -> Sequence[InstanceRow]:
        """Return all that are held, rejected ones included."""
        ...


class Steps(Protocol):
    """The view of the performed procedure steps."""

    def of_study(self, study_uid: str) -> Sequence[PerformedStep]:
        """Return the steps of a study."""
        ...


class NoteAvailability:
    """Takes the notifications of other archives. Thread safe."""

    def __init__(self, facts: Ledger) -> None:
        self._facts = facts

    def __call__(self, notice: Notice, source: str, envelope: Envelope) -> None:
        """Take one; durable on return. Raises the refusals of `registry.availability`."""
        version = len(self._facts.load(commands.notice_stream(notice.sop_uid)))
        try:
            self._facts.append(commands.note(version, notice, source=source, envelope=envelope))
        except StreamMoved:
            raise NoticeExists(sop_uid=notice.sop_uid) from None


class ComposeNotice:
    """Composes what is said of a study as it stands. Thread safe."""

    def __init__(self, studies: Studies, steps: Steps, *, ae_title: str) -> None:
        self._studies = studies
        self._steps = steps
        self._ae_title = ae_title

    def __call__(self, owed: Owed) -> Notice:
        """Return the notification that is owed; it names nothing when nothing is held."""
        usable = {one.sop_uid for one in self._studies.instances_of(owed.study_uid)}
        held = self._studies.instances_for_manifest(owed.study_uid)
        steps = self._steps.of_study(owed.study_uid)
        return Notice(
            sop_uid=stable_uid("availability", owed.ae_title, owed.study_uid, str(owed.through)),
            study_uid=owed.study_uid,
            # At most one may be named (PS3.3 C.4.23): of several, none.
            step_uid=steps[0].sop_uid if len(steps) == 1 else "",
            instances=tuple(self._said(held, usable)),
        )

    def _said(self, held: Iterable[InstanceRow], usable: set[str]) -> Iterator[Available]:
        def kind(one: InstanceRow) -> tuple[str, str, str]:
            word = ONLINE if one.sop_uid in usable else UNAVAILABLE
            return one.series_uid, one.sop_class, word

        for (series_uid, sop_class, word), part in groupby(held, key=kind):
            uids = tuple(one.sop_uid for one in part)
            yield Available(series_uid, sop_class, word, self._ae_title, uids)


class AvailabilityNotifier:
    """Sends what is owed to the AEs that the settings name, again and again."""

    def __init__(
        self,
        facts: Ledger,
        queue: Queue,
        compose: ComposeNotice,
        addresses: Addresses,
        send: Sends,
        *,
        recipients: Iterable[str],
        retrying: Retrying,
        look_seconds: float = _LOOK_SECONDS,
        clock: Clock = now,
    ) -> None:
        self._facts = facts
        self._queue = queue
        self._compose = compose
        self._addresses = addresses
        self._send = send
        self._recipients = frozenset(title.strip() for title in recipients if title.strip())
        self._retrying = retrying
        self._look_seconds = look_seconds
        self._clock = clock

    def run(self, stopping: threading.Event) -> None:
        """Tell until `stopping` is set."""
        self.enrol()
        while not stopping.is_set():
            try:
                self.notify_due(stopping)
            except (StreamMoved, Unavailable) as refusal:
                # Another was first, or a view or the disk is away: look again later.
                log.info("notifications of availability wait", extra={"code": refusal.code})
            stopping.wait(self._look_seconds)

    def enrol(self) -> None:
        """Record who is told from now on, if the settings say other than before."""
        with acting_as(_ENVELOPE):
            state, version = self._facts.fold(
                commands.RECIPIENTS, commands.NOBODY, commands.fold_recipients
            )
            batch = commands.recipients(state, version, wanted=self._recipients, envelope=current())
            if batch is not None:
                self._facts.append(batch)

    def notify_due(self, stopping: threading.Event | None = None) -> int:
        """Send what is due now; returns how many notifications were taken."""
        taken = 0
        with acting_as(_ENVELOPE):
            for title in self._queue.due_titles(self._clock()):
                address = self._addresses.destination(title)
                for owed in self._queue.due(title, self._clock()):
                    if stopping is not None and stopping.is_set():
                        return taken
                    if address is None:
                        self._not_taken(owed, "no_address")
                    elif self._one(address, owed):
                        taken += 1
                    else:
                        break  # the others would fail alike
        return taken

    def _one(self, address: tuple[str, int], owed: Owed) -> bool:
        notice = self._compose(owed)
        try:
            if notice.instances:
                self._send(address, owed.ae_title, notice)
        except NoticeNotTaken as refusal:
            log.info("notification of availability not taken", extra={"ae": owed.ae_title})
            self._not_taken(owed, str(refusal.details.get("why") or refusal.code))
            return False
        except Refusal as refusal:
            self._not_taken(owed, refusal.code)
            return False
        state, version = self._fold(owed)
        self._append(
            commands.told(
                state,
                version,
                ae_title=owed.ae_title,
                notice=notice,
                through=owed.through,
                envelope=current(),
            )
        )
        return True

    def _not_taken(self, owed: Owed, reason: str) -> None:
        state, version = self._fold(owed)
        self._append(
            commands.not_taken(
                state,
                version,
                ae_title=owed.ae_title,
                study_uid=owed.study_uid,
                through=owed.through,
                owed=owed.owed,
                now=self._clock(),
                reason=reason,
                retrying=self._retrying,
                envelope=current(),
            )
        )

    def _fold(self, owed: Owed) -> tuple[commands.Telling, int]:
        stream = commands.telling_stream(owed.ae_title, owed.study_uid)
        return self._facts.fold(stream, commands.NOT_TOLD, commands.fold)

    def _append(self, batch: Append | None) -> None:
        if batch is not None:
            self._facts.append(batch)


_ENVELOPE: Final = Envelope(subject="availability", protocol="workflow")
