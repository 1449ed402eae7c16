"""May the caller see this, and the record that he did: one access event a study view.

Implements design A6 and walk E (WADO-RS frame): batched, never one event a frame; fails closed.
Called by the resources before their first octet goes out.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from adapters.dicomweb.archive import Archive
from kernel.refusals import Refusal, Unavailable
from registry.access.decision import decide
from registry.access.values import Resource, Subject

_VIEW_SECONDS: Final = 300.0
"""Reads of one study by one caller within this time are one view."""
_REMEMBERED: Final = 50_000


class AccessNotRecorded(Unavailable):
    """The access cannot be recorded now, so nothing is given."""

    code = "access_not_recorded"


class Access:
    """Asks the guard and records views; one a process."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._guard = archive.guard
        self._seen: OrderedDict[tuple[str, ...], float] = OrderedDict()

    async def allow(
        self,
        subject: Subject,
        action: str,
        *,
        study_uid: str = "",
        patient_key: UUID | None = None,
        transaction: str,
    ) -> None:
        """Raise Forbidden unless the caller may do `action` to the study."""
        resource = Resource("study", patient_key, study_uid)
        if decide(subject, action, resource).allowed:
            return
        # The guard records the denial, which waits for the disk.
        guard = self._guard

        def denied() -> None:
            guard.check(subject, action, resource, transaction=transaction)

        await self._archive.run(denied)

    async def viewed(
        self,
        subject: Subject,
        study_uid: str,
        patient_key: UUID,
        *,
        action: str = "view",
        transaction: str,
        count: int = 1,
        detail: str = "",
    ) -> None:
        """Check and record that the caller reads the study; cheap within one view of it."""
        await self.allow(
            subject, action, study_uid=study_uid, patient_key=patient_key, transaction=transaction
        )
        key = (subject.kind, subject.name, study_uid, action, detail)
        moment = time.monotonic()
        held = self._seen.get(key)
        if held is not None and moment - held < _VIEW_SECONDS:
            return
        await self.record(
            subject,
            action,
            transaction,
            patient_keys=(patient_key,),
            study_uids=(study_uid,),
            count=count,
            detail=detail,
        )
        self._seen[key] = moment
        self._seen.move_to_end(key)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    async def record(
        self,
        subject: Subject,
        action: str,
        transaction: str,
        *,
        outcome: str = "success",
        patient_keys: Iterable[UUID] = (),
        study_uids: Iterable[str] = (),
        count: int = 0,
        detail: str = "",
    ) -> None:
        """Record an access durably before it is answered."""
        future = self._guard.record_soon(
            subject,
            action,
            outcome,
            transaction,
            patient_keys=patient_keys,
            study_uids=study_uids,
            count=count,
            detail=detail,
        )
        try:
            await asyncio.wrap_future(future)
        except (Refusal, OSError) as problem:
            raise AccessNotRecorded from problem
