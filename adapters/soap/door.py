"""The door of SOAP services: reads a request, calls its transaction, writes the response.

Implements the SOAP binding of ITI TF-2 Appendix V for every protocol that speaks SOAP; they
bring their transactions as `SoapService`s. Called by the endpoints of the protocols.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from fastapi import APIRouter
from lxml import etree
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from adapters.soap import envelope, faults
from adapters.soap.exchange import Exchange, MtomAnswer, Part
from adapters.soap.faults import SoapFault
from adapters.soap.multipart import Limits
from adapters.soap.names import SOAP_TYPE
from adapters.soap.wsdl import WsdlPages
from kernel.refusals import Refusal
from registry.access.values import Subject
from repository.tiers.ports import BlobStore

log = logging.getLogger("pianku.soap")
_AT_ONCE_BYTES: Final = 1 << 20


class Gate(Protocol):
    """Who tells the caller's name: the guard."""

    def http_subject(self, request: Request, /) -> Subject:
        """Return the caller; raises Unauthenticated."""


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request: who asks, the one element of the Body, the parts beside it."""

    subject: Subject
    body: etree._Element
    exchange: Exchange
    message: envelope.Message


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of the response, and the documents that travel beside it."""

    body: str
    parts: tuple[Part, ...] = ()
    mtom: bool = False
    action: str = ""
    """wsa:Action of the response where it is not that of the request with `Response`."""


Transaction = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class SoapService:
    """A service: its path, its WSDL with the schemas beside it, its transactions by action."""

    path: str
    wsdl: Path
    transactions: Mapping[str, Transaction]
    schemas: Mapping[str, Path]


def build_soap_router(
    services: Sequence[SoapService], gate: Gate, store: BlobStore, limits: Limits
) -> APIRouter:
    """Return the routes of these services: POST for requests, GET for `?wsdl` and `?xsd=`."""
    router = APIRouter()
    for service in services:
        door = _Door(service, gate, store, limits)
        router.add_route(service.path, door.post, methods=["POST"])
        router.add_route(service.path, _description(service), methods=["GET"])
    return router


class _Door:
    """The door of one service."""

    def __init__(self, service: SoapService, gate: Gate, store: BlobStore, limits: Limits) -> None:
        self._transactions = service.transactions
        self._gate = gate
        self._store = store
        self._limits = limits

    async def post(self, request: Request) -> Response:
        """Answer one request; whatever is wrong with the envelope becomes a SOAP fault."""
        exchange: Exchange | None = None
        try:
            subject = await run_in_threadpool(self._gate.http_subject, request)
            exchange = Exchange(request.headers.get("content-type", ""), self._store, self._limits)
            await exchange.receive(request)
            return await run_in_threadpool(self._answer, subject, exchange)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except (SoapFault, Refusal) as problem:
            return _fault(faults.of(problem))
        finally:
            if exchange is not None and exchange.parts_left:
                await run_in_threadpool(exchange.discard)

    def _answer(self, subject: Subject, exchange: Exchange) -> Response:
        """Run the transaction, in a worker thread."""
        message_id = ""
        try:
            message = exchange.message()
            message_id = message.message_id
            _insist_on_this_connection(message)
            transaction = self._transaction(message.action)
            answer = transaction(Call(subject, message.body, exchange, message))
            action = answer.action or f"{message.action}Response"
            return self._response(action, answer, message_id)
        except (SoapFault, Refusal) as problem:
            return _fault(faults.of(problem), message_id)
        except Exception as problem:
            correlation = uuid4().hex
            # The text of an exception may quote the request: only its kind is told.
            log.error(  # noqa: TRY400
                "transaction failed",
                extra={"correlation": correlation, "problem": type(problem).__name__},
            )
            log.debug("transaction failed by", exc_info=problem)
            return _fault(faults.internal(correlation), message_id)

    def _transaction(self, action: str) -> Transaction:
        found = self._transactions.get(action)
        if found is None:
            raise SoapFault(
                f"the action {action[:120]} is not offered here", subcode="ActionNotSupported"
            )
        return found

    def _response(self, action: str, answer: Answer, message_id: str) -> Response:
        root = envelope.write(action, answer.body, message_id)
        if not answer.mtom:
            return Response(root, media_type=f"{SOAP_TYPE}; charset=utf-8")
        mtom = MtomAnswer(root, answer.parts, self._store)
        headers = {"content-type": mtom.content_type, "content-length": str(mtom.length)}
        if mtom.length <= _AT_ONCE_BYTES:
            return Response(b"".join(mtom), headers=headers)
        return StreamingResponse(iter(mtom), headers=headers)


def _insist_on_this_connection(message: envelope.Message) -> None:
    for name, address in (("ReplyTo", message.reply_to), ("FaultTo", message.fault_to)):
        if address:
            raise SoapFault(
                f"wsa:{name} must be anonymous: answers go back on the same connection",
                subcode="OnlyAnonymousAddressSupported",
            )


def _fault(fault: SoapFault, relates_to: str = "") -> Response:
    headers = {"www-authenticate": "Bearer"} if fault.challenge else None
    return Response(
        faults.render(fault, relates_to),
        status_code=fault.status,
        media_type=f"{SOAP_TYPE}; charset=utf-8",
        headers=headers,
    )


def _description(service: SoapService) -> Callable[[Request], Awaitable[Response]]:
    pages = WsdlPages(service.wsdl, service.schemas)

    async def get(request: Request) -> Response:
        """Return the WSDL for `?wsdl`, a schema for `?xsd=NAME`."""
        address = str(request.url.replace(query=""))
        name = request.query_params.get("xsd")
        page = pages.schema(name, address) if name else None
        if "wsdl" in {key.lower() for key in request.query_params}:
            page = pages.wsdl(address)
        if page is None:
            return Response("ask for ?wsdl", status_code=404, media_type="text/plain")
        return Response(page, media_type="text/xml; charset=utf-8")

    return get
