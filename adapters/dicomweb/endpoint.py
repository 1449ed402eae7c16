"""The DICOMweb application: from the path to the resource, from a refusal to its status.

Implements the resources of PS3.18 tables 10.4.1-1, 10.5.1-1, 10.6.1-1. Bare ASGI because frames
are the hot path (design A5); mounted under `Archive.prefix` by `server.http`.
"""

from __future__ import annotations

import logging
from typing import Final
from uuid import uuid4

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from adapters.dicomweb import bulkdata, capabilities, decode, faults, qido_rs, stow_rs, wado_rs
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.dicomweb.commitment_requests import CommitmentResources
from adapters.dicomweb.frames import FrameResources
from adapters.dicomweb.metadata import MetadataResources
from adapters.dicomweb.notification_channel import NotificationChannel
from adapters.dicomweb.rendered import RenderedResources, representative
from adapters.dicomweb.workitems import WorkitemResources
from adapters.http import problem
from adapters.http.exchange import Exchange, segments
from adapters.http.media_types import accepted
from adapters.http.refusals import ClientGone, MethodNotAllowed, NoSuchPath
from kernel.refusals import Refusal
from projections.study_index.attributes import Level
from registry.access.values import Subject

log = logging.getLogger("pianku.dicomweb")
_LEVELS: Final = {"studies": Level.STUDY, "series": Level.SERIES, "instances": Level.INSTANCE}


class DicomWeb:
    """The application; one a process."""

    takes_websockets: Final = True
    """The notification channel of UPS-RS."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._access = Access(archive)
        self._frames = FrameResources(archive, self._access)
        self._metadata = MetadataResources(archive, self._access)
        self._rendered = RenderedResources(archive, self._access, self._frames)
        self._channel = NotificationChannel(archive, self._access)
        self._others: dict[str, WorkitemResources | CommitmentResources] = {
            "workitems": WorkitemResources(archive, self._access),
            "commitment-requests": CommitmentResources(archive, self._access),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "websocket":
            await self._channel(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._route(exchange)
        except Refusal as refusal:
            await self._refuse(exchange, refusal)
        except ClientGone:
            return
        except Exception:
            correlation = str(uuid4())
            log.exception("request failed", extra={"correlation": correlation})
            if exchange.started:
                raise
            body, headers = problem.defect(correlation)
            await exchange.answer(500, headers, body)

    async def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        if exchange.started:
            log.warning("answer broken off", extra={"code": refusal.code})
            raise refusal
        status = faults.status_of(refusal)
        body, headers = problem.problem(refusal, status)
        await exchange.answer(status, headers, body)

    async def _route(self, exchange: Exchange) -> None:
        path = segments(exchange.path, self._archive.prefix)
        if exchange.method == "OPTIONS":
            await self._capabilities(exchange)
            return
        if not path or path[0] not in _LEVELS.keys() | self._others.keys():
            raise NoSuchPath
        subject = self._archive.guard.http_subject(HTTPConnection(exchange.scope))
        if path[0] in self._others:
            await self._others[path[0]].answer(exchange, subject, path)
            return
        if exchange.method == "POST":
            await self._store(exchange, subject, path)
            return
        if exchange.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed(allow="GET, HEAD, POST, OPTIONS")
        if path[0] != "studies":
            await self._search_all(exchange, subject, path)
            return
        await self._get(exchange, subject, path)

    async def _capabilities(self, exchange: Exchange) -> None:
        self._archive.guard.http_subject(HTTPConnection(exchange.scope))
        accept = accepted(exchange.header(b"accept"), exchange.asked("accept"))
        kind, body = capabilities.document(accept, exchange.base + self._archive.prefix)
        headers = [
            (b"content-type", kind.encode()),
            (b"allow", b"GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        ]
        await exchange.answer(200, headers, body)

    async def _store(self, exchange: Exchange, subject: Subject, path: list[str]) -> None:
        if path[0] != "studies" or len(path) > 2:
            raise MethodNotAllowed(allow="GET, HEAD")
        study_uid = decode.uid(path[1]) if len(path) == 2 else ""
        await stow_rs.store(exchange, self._archive, self._access, subject, study_uid)

    async def _search_all(self, exchange: Exchange, subject: Subject, path: list[str]) -> None:
        if len(path) > 1:
            raise NoSuchPath
        await self._search(exchange, subject, _LEVELS[path[0]])

    async def _search(
        self,
        exchange: Exchange,
        subject: Subject,
        level: Level,
        study_uid: str = "",
        series_uid: str = "",
    ) -> None:
        await qido_rs.search(
            exchange,
            self._archive,
            self._access,
            subject,
            level=level,
            study_uid=study_uid,
            series_uid=series_uid,
        )

    async def _get(self, exchange: Exchange, subject: Subject, path: list[str]) -> None:
        """Route studies[/S[/series[/E[/instances[/I]]]]][/what...]."""
        match path:
            case ["studies"]:
                await self._search(exchange, subject, Level.STUDY)
            case ["studies", study, "series", series, "instances", sop, "frames", numbers]:
                await self._may_view(subject, study)
                location = await self._frames.locate(
                    decode.uid(study), decode.uid(series), decode.uid(sop)
                )
                await self._frames.answer(
                    exchange, subject, location, decode.frame_numbers(numbers)
                )
            case ["studies", study, "series", series, "instances", sop, *rest]:
                uids = (decode.uid(study), decode.uid(series), decode.uid(sop))
                await self._instance(exchange, subject, uids, rest)
            case ["studies", study, "series", series, "instances"]:
                await self._search(
                    exchange, subject, Level.INSTANCE, decode.uid(study), decode.uid(series)
                )
            case ["studies", study, "series", series, *rest]:
                await self._many(exchange, subject, decode.uid(study), decode.uid(series), rest)
            case ["studies", study, "series" | "instances" as level]:
                await self._search(exchange, subject, _LEVELS[level], decode.uid(study))
            case ["studies", study, *rest]:
                await self._many(exchange, subject, decode.uid(study), "", rest)
            case _:
                raise NoSuchPath

    async def _may_view(self, subject: Subject, study_uid: str) -> None:
        """Refuse before anything is looked up, so that a 404 tells nothing to the wrong caller."""
        await self._access.allow(subject, "view", study_uid=study_uid, transaction="WADO-RS")

    async def _many(
        self, exchange: Exchange, subject: Subject, study: str, series: str, rest: list[str]
    ) -> None:
        if rest == ["metadata"]:
            await self._may_view(subject, study)
            await self._metadata.of_many(exchange, subject, study, series)
            return
        if rest and rest not in (["rendered"], ["thumbnail"]):
            raise NoSuchPath
        await self._may_view(subject, study)
        locations = await self._archive.run(self._archive.storage.instances, study, series)
        if not locations or not rest:
            await wado_rs.retrieve(exchange, self._archive, self._access, subject, locations)
        elif rest == ["rendered"]:
            await self._rendered.many(exchange, subject, locations)
        else:
            await self._rendered.one(exchange, subject, representative(locations), thumbnail=True)

    async def _instance(
        self, exchange: Exchange, subject: Subject, uids: tuple[str, str, str], rest: list[str]
    ) -> None:
        await self._may_view(subject, uids[0])
        if rest == ["metadata"]:
            await self._metadata.of_one(exchange, subject, *uids)
            return
        location = await self._frames.place(*uids)
        match rest:
            case []:
                await wado_rs.retrieve(
                    exchange, self._archive, self._access, subject, (location,), single=True
                )
            case ["rendered"]:
                await self._rendered.one(exchange, subject, location)
            case ["thumbnail"]:
                await self._rendered.one(exchange, subject, location, thumbnail=True)
            case ["frames", numbers, "rendered" | "thumbnail" as what]:
                (number, *others) = decode.frame_numbers(numbers)
                if others:
                    raise decode.BadParameter("one frame is rendered at a time")
                await self._rendered.one(
                    exchange, subject, location, number, thumbnail=what == "thumbnail"
                )
            case ["bulkdata", *parts] if parts:
                await bulkdata.retrieve(
                    exchange,
                    self._archive,
                    self._access,
                    subject,
                    frames=self._frames,
                    location=location,
                    path=parts,
                )
            case _:
                raise NoSuchPath
