"""UPS-RS: the notification channel, a WebSocket on which a subscriber is told what happens.

Implements PS3.18 11.13 (Open Notification Channel) and 11.14 (Send Event Report: DICOM JSON with
the elements of an N-EVENT-REPORT). Called by `endpoint.py` for the connections uvicorn upgrades.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from adapters.dicomweb import faults
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive, WorklistRooms
from adapters.http import problem
from adapters.http.exchange import segments
from adapters.http.refusals import NoSuchPath
from kernel.refusals import Forbidden, Refusal, Unauthenticated, Unavailable
from projections.workitems.view import Report
from registry.access.values import Subject
from registry.workitems.values import UPS_PUSH

log = logging.getLogger("pianku.dicomweb")
_LOOK_SECONDS: Final = 0.5
_MOST_CHANNELS: Final = 64
"""Of one process; each looks twice a second."""
_POLICY_VIOLATION: Final = 1008
_TRY_AGAIN_LATER: Final = 1013
_MOST_IDS: Final = 1 << 15
_TRANSACTION: Final = "UPS-RS Event Report"


class TooManyChannels(Unavailable):
    """This process serves as many notification channels as it can."""

    code = "too_many_channels"


class NotificationChannel:
    """Serves WebSockets; one a process."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        await receive()  # websocket.connect
        connection = HTTPConnection(scope)
        try:
            worklist, ae_title = self._target(scope)
            _check_origin(connection)
            await self._allowed(connection)
            if self._open >= _MOST_CHANNELS:
                raise TooManyChannels
        except Refusal as refusal:
            await _refuse(refusal, scope, send)
            return
        self._open += 1
        try:
            await send({"type": "websocket.accept"})
            await self._serve(receive, send, self._tell(send, worklist, ae_title, connection))
        finally:
            self._open -= 1

    async def _serve(
        self, receive: Receive, send: Send, tell: Coroutine[object, object, None]
    ) -> None:
        telling = asyncio.create_task(tell)
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (telling, leaving):
                task.cancel()
            outcomes = await asyncio.gather(telling, leaving, return_exceptions=True)
        problem_ = outcomes[0]
        if isinstance(problem_, Refusal):
            # What was not recorded as taken is told once more on the next channel.
            log.info("notification channel closed", extra={"code": problem_.code})
            is_over = isinstance(problem_, Unauthenticated | Forbidden)
            code = _POLICY_VIOLATION if is_over else _TRY_AGAIN_LATER
            await send({"type": "websocket.close", "code": code})
        elif isinstance(problem_, Exception) and not isinstance(problem_, OSError):
            raise problem_

    def _target(self, scope: Scope) -> tuple[WorklistRooms, str]:
        """Return what a channel is for; raises NoSuchPath."""
        worklist = self._archive.worklist
        match segments(scope["path"], self._archive.prefix):
            case ["subscribers", ae_title] | ["ws", "subscribers", ae_title] if (
                worklist and ae_title.isprintable()
            ):
                return worklist, ae_title
            case _:
                raise NoSuchPath

    async def _allowed(self, connection: HTTPConnection) -> Subject:
        """Return the caller; raises the refusals of the guard.

        He takes what the subscriber is owed: that is more than to look.
        """
        subject = self._archive.guard.http_subject(connection)
        await self._access.allow(subject, "store", transaction=_TRANSACTION)
        return subject

    async def _tell(
        self, send: Send, worklist: WorklistRooms, ae_title: str, connection: HTTPConnection
    ) -> None:
        """Send what is owed, and what comes to be, until somebody ends it."""
        number = 0
        while True:
            # What is not there yet is there at the next look: no need to wait for the view.
            owed = await self._archive.run(lambda: worklist.index.due(ae_title, fresh=False))
            owed = [report for report in owed if report.number > number]
            if not owed:
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            # A channel may be open for days: what was granted then may be taken back by now.
            subject = await self._allowed(connection)
            # Before the first leaves: what is not recorded is not told.
            await self._record(subject, owed)
            for report in owed:
                await send({"type": "websocket.send", "text": _message(report)})
            number = owed[-1].number
            await self._archive.run(worklist.reports.taken, owed[-1])

    async def _record(self, subject: Subject, owed: Sequence[Report]) -> None:
        await self._access.record(
            subject,
            "view",
            _TRANSACTION,
            count=len(owed),
            patient_keys=tuple(dict.fromkeys(report.patient_key for report in owed)),
        )


def _message(report: Report) -> str:
    """Return an event report (PS3.18 11.14.1.4)."""
    elements = {
        "00000002": {"vr": "UI", "Value": [UPS_PUSH]},
        "00000110": {"vr": "US", "Value": [report.number % _MOST_IDS]},
        "00001000": {"vr": "UI", "Value": [report.sop_uid]},
        "00001002": {"vr": "US", "Value": [report.event_type]},
    }
    return msgspec.json.encode({**elements, **report.body}).decode()


def _check_origin(connection: HTTPConnection) -> None:
    """Raise Forbidden for a page of somebody else: a browser sends our cookie along with it."""
    origin = connection.headers.get("origin")
    if origin and urlsplit(origin).netloc != connection.headers.get("host"):
        raise Forbidden("a channel is not opened for pages of another origin")


async def _gone(receive: Receive) -> None:
    """Wait until the subscriber leaves; what he says is not listened to."""
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _refuse(refusal: Refusal, scope: Scope, send: Send) -> None:
    """Answer the handshake in plain HTTP, where the server can, else close it."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    status = faults.status_of(refusal)
    body, headers = problem.problem(refusal, status)
    start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})
