"""An ended procedure step is accounted for when all it lists is here; then its study is complete.

IHE RAD TF-2 4.7 (Performed Procedure Step Completed), PS3.4 F. Run beside the projector by
`server.background`; without a step, or with images missing, the quiet period completes a study.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from kernel.context import Envelope, acting_as
from kernel.ledger.ports import Ledger, StreamMoved
from kernel.refusals import Refusal, Unavailable
from kernel.times import Clock, now
from projections.procedure_steps.view import PerformedStep
from projections.storage_map.view import Location
from projections.study_index.view import StudyRow
from registry.procedure_steps import commands
from registry.procedure_steps.values import Status
from workflows.publish_study import Publishes

log = logging.getLogger("pianku.procedure_steps")
_LOOK_SECONDS: Final = 0.5
_LONGEST_WAIT: Final = timedelta(minutes=10)
_WRONG_ENTRY: Final = "110514^DCM"
"""PS3.16 CID 9300: Incorrect worklist entry selected."""


class Steps(Protocol):
    """The view of the performed procedure steps."""

    def owing(self) -> Sequence[tuple[str, datetime]]:
        """Return ended steps of which not all is known to be held, and since when."""
        ...

    def by_uid(self, sop_uid: str) -> PerformedStep | None:
        """Return one step."""
        ...

    def of_study(self, study_uid: str) -> Sequence[PerformedStep]:
        """Return the steps of a study."""
        ...


class Map(Protocol):
    """The storage map."""

    def locate_many(self, sop_uids: Iterable[str], *, held: bool = False) -> Mapping[str, Location]:
        """Return those of the instances that are known; if `held`, also rejected ones."""
        ...


class Studies(Protocol):
    """The study index."""

    def study(self, study_uid: str, *, held: bool = False) -> StudyRow | None:
        """Return a study."""
        ...


class StepAccounts:
    """Tells what a step lists and we do not hold. Thread safe."""

    def __init__(self, storage_map: Map) -> None:
        self._map = storage_map

    def missing(self, step: PerformedStep) -> Sequence[str]:
        """Return the instances a step lists that never came, rejected ones not among them."""
        if step.status is not Status.IN_PROGRESS and not step.is_owing:
            return ()
        listed = step.sop_uids()
        held = self._map.locate_many(listed, held=True)
        return [uid for uid in listed if uid not in held]


class StepAccountant:
    """Looks through ended steps, again and again."""

    def __init__(
        self,
        facts: Ledger,
        steps: Steps,
        accounts: StepAccounts,
        studies: Studies,
        publish: Publishes | None,
        *,
        look_seconds: float = _LOOK_SECONDS,
        clock: Clock = now,
    ) -> None:
        self._facts = facts
        self._steps = steps
        self._accounts = accounts
        self._studies = studies
        self._publish = publish
        self._look_seconds = look_seconds
        self._clock = clock
        self._again: dict[str, float] = {}
        """Step -> when to look at it again (monotonic)."""

    def run(self, stopping: threading.Event) -> None:
        """Account for steps until `stopping` is set."""
        while not stopping.is_set():
            try:
                self.account_due(stopping)
            except (StreamMoved, Unavailable) as refusal:
                # Another was first, or a view or the disk is away: look again later.
                log.info("accounts of procedure steps wait", extra={"code": refusal.code})
            stopping.wait(self._look_seconds)

    def account_due(self, stopping: threading.Event | None = None) -> int:
        """Account for the steps of which all is here; returns how many these were."""
        owing = self._steps.owing()
        self._again = {uid: self._again.get(uid, 0.0) for uid, _ in owing}
        done = 0
        for sop_uid, since in owing:
            if stopping is not None and stopping.is_set():
                break
            if self._again[sop_uid] > time.monotonic():
                continue
            step = self._steps.by_uid(sop_uid)
            if step is None or self._accounts.missing(step):
                # What is missing for long is looked for less often.
                wait = min((self._clock() - since) / 10, _LONGEST_WAIT)
                self._again[sop_uid] = time.monotonic() + wait.total_seconds()
                continue
            self._account(step)
            done += 1
        return done

    def _account(self, step: PerformedStep) -> None:
        envelope = Envelope(subject="procedure-steps", protocol="workflow")
        with acting_as(envelope):
            # First: a crash between the two has it done again, and completed once.
            self._complete(step)
            stream = commands.step_stream(step.sop_uid)
            state, version = self._facts.fold(stream, commands.NOT_STARTED, commands.fold)
            batch = commands.account(state, version, sop_uid=step.sop_uid, envelope=envelope)
            if batch is not None:
                self._facts.append(batch)

    def _complete(self, step: PerformedStep) -> None:
        """Complete and publish the studies of a step of which no other step is open."""
        if self._publish is None or step.reason == _WRONG_ENTRY:
            return
        for study_uid in step.study_uids:
            others = [o for o in self._steps.of_study(study_uid) if o.sop_uid != step.sop_uid]
            if not any(one.listed for one in (step, *others)):
                continue  # a modality that lists nothing tells nothing of its images
            if any(o.status is Status.IN_PROGRESS or self._accounts.missing(o) for o in others):
                continue
            row = self._studies.study(study_uid, held=True)
            if row is None:
                continue
            try:
                self._publish(row)
            except Refusal as refusal:
                # The publisher of quiet studies takes it up and tells of it.
                log.info("study is published later", extra={"code": refusal.code})
            except Exception:
                # One study that cannot be published must not keep other steps from their account.
                log.exception("study of a procedure step cannot be published")
