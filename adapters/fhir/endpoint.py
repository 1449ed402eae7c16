"""The FHIR application: from method and path to the interaction, from a refusal to its outcome.

Implements HL7 FHIR R4 3.1.0 (RESTful API). Bare ASGI, so that documents stream; mounted under
`PREFIX` by `server.http`, put together by `server.web_door`.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from typing import Final
from uuid import uuid4

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from adapters.fhir import (
    capability,
    encode,
    faults,
    imaging_study,
    iti65_provide_document_bundle,
    iti66_find_document_lists,
    iti67_find_document_references,
    iti68_retrieve_document,
    iti78_patient_demographics,
    iti83_identifier_cross_reference,
    iti105_simplified_publish,
    iti119_patient_match,
)
from adapters.fhir.element import Json, write_json, write_xml
from adapters.fhir.interaction import PREFIX, Asked, FhirRooms, Interaction, Octets, Reply
from adapters.fhir.search import Parameters
from adapters.http.exchange import Exchange, segments
from adapters.http.media_types import parse
from adapters.http.refusals import ClientGone, MethodNotAllowed, NoSuchPath, UnsupportedMedia
from kernel.refusals import Refusal

log = logging.getLogger("pianku.fhir")
_FORM: Final = "application/x-www-form-urlencoded"
_SEARCHES: Final[dict[str, Interaction]] = {
    "DocumentReference": iti67_find_document_references.search,
    "List": iti66_find_document_lists.search,
    "Patient": iti78_patient_demographics.search,
    "ImagingStudy": imaging_study.search,
}
_READS: Final[dict[str, Interaction]] = {
    "DocumentReference": iti67_find_document_references.read,
    "List": iti66_find_document_lists.read,
    "Binary": iti68_retrieve_document.read,
    "Patient": iti78_patient_demographics.read,
    "ImagingStudy": imaging_study.read,
}
_CREATES: Final[dict[str, Interaction]] = {"DocumentReference": iti105_simplified_publish.publish}
_OPERATIONS: Final[dict[str, dict[str, Interaction]]] = {
    "$ihe-pix": {
        "GET": iti83_identifier_cross_reference.cross_reference,
        "POST": iti83_identifier_cross_reference.cross_reference,
    },
    "$match": {"POST": iti119_patient_match.match},
}


class FhirR4:
    """The application; one a process."""

    def __init__(self, rooms: FhirRooms, threads: Executor) -> None:
        self._rooms = rooms
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        exchange = Exchange(scope, receive, send)
        xml = False
        try:
            xml = _answers_in_xml(exchange)
            reply = await self._reply(exchange)
            await _send(exchange, reply, self._threads, xml=xml)
        except ClientGone:
            return
        except Refusal as refusal:
            if exchange.started:
                log.warning("answer broken off", extra={"code": refusal.code})
                raise
            status = faults.status_of(refusal)
            body = faults.outcome(refusal)
            await _send_resource(exchange, status, body, faults.headers(refusal, status), xml=xml)
        except Exception as bug:
            correlation = str(uuid4())
            # The text of an exception may quote the request: only its kind is told.
            log.error(  # noqa: TRY400
                "request failed", extra={"correlation": correlation, "problem": type(bug).__name__}
            )
            log.debug("request failed by", exc_info=bug)
            if exchange.started:
                raise
            no_store = [(b"cache-control", b"no-store")]
            body = faults.defect(correlation)
            await _send_resource(exchange, 500, body, no_store, xml=xml)

    async def _reply(self, exchange: Exchange) -> Reply:
        path = segments(exchange.path, PREFIX)
        base = f"{exchange.base}{PREFIX}"
        if path == ["metadata"]:
            if exchange.method not in {"GET", "HEAD", "OPTIONS"}:
                raise MethodNotAllowed(allow="GET, HEAD")
            caching = {"cache-control": "public, max-age=300"}
            return Reply(capability.statement(base), headers=caching)
        interaction, resource_id = _interaction(exchange.method, path)
        loop = asyncio.get_running_loop()
        connection = HTTPConnection(exchange.scope)
        subject = await loop.run_in_executor(
            self._threads, self._rooms.guard.http_subject, connection
        )
        body = b""
        if exchange.method in {"POST", "PUT", "PATCH"}:
            limit = self._rooms.limits.body_octets
            body = b"".join([chunk async for chunk in exchange.body(limit)])

        def run() -> Reply:
            parameters, xml = _brought(exchange, path, body)
            asked = Asked(
                subject=subject,
                method=exchange.method,
                parameters=parameters,
                base=base,
                body=b"" if path[-1:] == ["_search"] else body,
                body_xml=xml,
                header=exchange.header,
                resource_id=resource_id,
            )
            return interaction(asked, self._rooms)

        return await loop.run_in_executor(self._threads, run)


def _interaction(method: str, path: list[str]) -> tuple[Interaction, str]:
    """Return what a method and path ask for, and the id of the resource if they name one."""
    offered, resource_id = _offered(path)
    if not offered:
        raise NoSuchPath("there is no such resource type or operation here")
    interaction = offered.get("GET" if method == "HEAD" else method)
    if interaction is None:
        raise MethodNotAllowed(allow=", ".join(sorted(offered)))
    return interaction, resource_id


def _offered(path: list[str]) -> tuple[dict[str, Interaction], str]:
    """Return the interactions at a path by method, and the id of the resource it names."""
    match path:
        case []:
            return {"POST": iti65_provide_document_bundle.provide}, ""
        case ["Patient", operation] if operation in _OPERATIONS:
            return _OPERATIONS[operation], ""
        case [kind, "_search"] if kind in _SEARCHES:
            return {"POST": _SEARCHES[kind]}, ""
        case [kind] if kind in _SEARCHES:
            create = {"POST": _CREATES[kind]} if kind in _CREATES else {}
            return {"GET": _SEARCHES[kind], **create}, ""
        case [kind, resource_id] if kind in _READS:
            return {"GET": _READS[kind]}, resource_id
        case _:
            return {}, ""


def _brought(exchange: Exchange, path: list[str], body: bytes) -> tuple[Parameters, bool]:
    """Return the parameters, and whether the body is XML; raises UnsupportedMedia."""
    if not body and exchange.method in {"GET", "HEAD"}:
        return Parameters(exchange.query), False
    told = exchange.header(b"content-type")
    media = parse(told) if told else None
    essence = media.essence if media is not None else ""
    if path[-1:] == ["_search"]:
        if body and essence != _FORM:
            raise UnsupportedMedia(f"_search takes {_FORM}")
        return Parameters.of_form(exchange.query, body), False
    if essence not in {*encode.JSON_TYPES, *encode.XML_TYPES}:
        raise UnsupportedMedia("resources come as application/fhir+json or application/fhir+xml")
    charset = media.get("charset").lower() if media is not None else ""
    if charset not in {"", "utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMedia("resources come in UTF-8")
    return Parameters(exchange.query), essence in encode.XML_TYPES


def _answers_in_xml(exchange: Exchange) -> bool:
    told = exchange.header(b"content-type")
    media = parse(told) if told and exchange.method == "POST" else None
    usual = media is not None and media.essence in encode.XML_TYPES
    path = segments(exchange.path, PREFIX)
    if path[:1] == ["Binary"]:
        # A document has its own media type; only its refusals and the Binary are resources.
        return encode.XML in (exchange.header(b"accept") or "") or "xml" in "".join(
            exchange.asked("_format")
        )
    return encode.wants_xml(exchange.header(b"accept"), exchange.asked("_format"), usual=usual)


async def _send(exchange: Exchange, reply: Reply, threads: Executor, *, xml: bool) -> None:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
    if reply.octets is not None:
        await _stream(exchange, reply, reply.octets, headers, threads)
    elif reply.resource is None:
        await exchange.answer(reply.status, headers)
    else:
        await _send_resource(exchange, reply.status, reply.resource, headers, xml=xml)


async def _stream(
    exchange: Exchange,
    reply: Reply,
    octets: Octets,
    headers: list[tuple[bytes, bytes]],
    threads: Executor,
) -> None:
    headers += [
        (b"content-type", octets.content_type.encode("latin-1")),
        (b"content-length", b"%d" % octets.size),
    ]
    loop = asyncio.get_running_loop()
    chunks = octets.chunks()
    first = await loop.run_in_executor(threads, next, chunks, b"")  # may still refuse
    await exchange.begin(reply.status, headers)
    while first:
        await exchange.piece(first)
        first = await loop.run_in_executor(threads, next, chunks, b"")
    await exchange.end()


async def _send_resource(
    exchange: Exchange,
    status: int,
    resource: Json,
    headers: list[tuple[bytes, bytes]],
    *,
    xml: bool,
) -> None:
    body = write_xml(resource) if xml else write_json(resource)
    kind = encode.XML if xml else encode.JSON
    told = [
        *headers,
        (b"content-type", f"{kind}; charset=utf-8; fhirVersion=4.0".encode()),
        (b"vary", b"accept, authorization"),
    ]
    await exchange.answer(status, told, body)
