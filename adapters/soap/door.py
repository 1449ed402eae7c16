"""The door of SOAP services: reads a request, calls its transaction, writes the response.

Implements the SOAP binding of ITI TF-2 Appendix V for every protocol that speaks SOAP; they
bring their transactions as `SoapPort`s. Called by the endpoints of the protocols.
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
from starlette.types import Receive, Scope, Send

from adapters.soap import envelope, faults
from adapters.soap.exchange import Exchange, MtomAnswer, Part
from adapters.soap.faults import SoapFault
from adapters.soap.multipart import Limits
from adapters.soap.names import SOAP_TYPE
from adapters.soap.replies import Outgoing, Replies
from adapters.soap.wsdl import WsdlPages
from kernel.refusals import Refusal
from registry.access.values import Subject
from repository.tiers.ports import BlobStore

log = logging.getLogger("pianku.soap")
_AT_ONCE_BYTES: Final = 1 << 20
_SIMPLE: Final = f"{SOAP_TYPE}; charset=utf-8"


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
    address: str = ""
    """The URL that was asked, without its query."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of the response, and the documents that travel beside it."""

    body: str
    """Empty: the message has no answer (one-way), 202 says that it was taken."""
    parts: tuple[Part, ...] = ()
    mtom: bool = False
    action: str = ""
    """wsa:Action of the response where it is not that of the request with `Response`."""


Transaction = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class SoapPort:
    """A service: its path, its WSDL with the schemas beside it, its transactions by action."""

    path: str
    wsdl: Path
    transactions: Mapping[str, Transaction]
    schemas: Mapping[str, Path]


def build_soap_router(
    services: Sequence[SoapPort],
    gate: Gate,
    store: BlobStore,
    limits: Limits,
    *,
    replies: Replies | None = None,
) -> APIRouter:
    """Return the routes of these services: POST for requests, GET for `?wsdl` and `?xsd=`.

    With `replies`, answers may go to another address (asynchronous web services).
    """
    router = APIRouter()
    for service in services:
        door = _Door(service, gate, store, limits, replies)
        router.add_route(service.path, door.post, methods=["POST"])
        router.add_route(service.path, _description(service), methods=["GET"])
    return router


class _Door:
    """The door of one service."""

    def __init__(
        self,
        service: SoapPort,
        gate: Gate,
        store: BlobStore,
        limits: Limits,
        replies: Replies | None,
    ) -> None:
        self._transactions = service.transactions
        self._gate = gate
        self._store = store
        self._limits = limits
        self._replies = replies

    async def post(self, request: Request) -> Response:
        """Answer one request; whatever is wrong with the envelope becomes a SOAP fault."""
        exchange: Exchange | None = None
        try:
            subject = await run_in_threadpool(self._gate.http_subject, request)
            exchange = Exchange(request.headers.get("content-type", ""), self._store, self._limits)
            await exchange.receive(request)
            address = str(request.url.replace(query=""))
            return await run_in_threadpool(self._answer, subject, exchange, address)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except (SoapFault, Refusal) as problem:
            return _fault(faults.of(problem))
        finally:
            if exchange is not None and exchange.parts_left:
                await run_in_threadpool(exchange.discard)

    def _answer(self, subject: Subject, exchange: Exchange, address: str) -> Response:
        """Run the transaction, in a worker thread."""
        try:
            message = exchange.message()
        except SoapFault as problem:
            return _fault(problem)
        try:
            transaction = self._transaction(message.action)
            self._admit(message)
        except (SoapFault, Refusal) as problem:
            return _fault(faults.of(problem), message.message_id)
        said = self._said(transaction, Call(subject, message.body, exchange, message, address))
        elsewhere = message.reply_to
        if isinstance(said, SoapFault):
            elsewhere = message.fault_to or elsewhere
        if not elsewhere or self._replies is None:
            if message.reply_to and self._replies is not None:
                self._replies.give_back()
            return self._response(said, message)
        return _Accepted(self._replies, elsewhere, self._outgoing(said, message, elsewhere))

    def _said(self, transaction: Transaction, call: Call) -> Answer | SoapFault:
        try:
            return transaction(call)
        except (SoapFault, Refusal) as problem:
            return faults.of(problem)
        except Exception as problem:
            correlation = uuid4().hex
            # The text of an exception may quote the request: only its kind is told.
            log.error(  # noqa: TRY400
                "transaction failed",
                extra={"correlation": correlation, "problem": type(problem).__name__},
            )
            log.debug("transaction failed by", exc_info=problem)
            return faults.internal(correlation)

    def _transaction(self, action: str) -> Transaction:
        found = self._transactions.get(action)
        if found is None:
            raise SoapFault(
                f"the action {action[:120]} is not offered here", subcode="ActionNotSupported"
            )
        return found

    def _admit(self, message: envelope.Message) -> None:
        """Raise SoapFault for an address that answers must not go to; reserve a place for ours."""
        for name, address in (("ReplyTo", message.reply_to), ("FaultTo", message.fault_to)):
            if address and (self._replies is None or not self._replies.allows(address)):
                raise SoapFault(
                    f"wsa:{name} must be anonymous, or an address that is allowed here",
                    subcode="OnlyAnonymousAddressSupported",
                )
        if message.fault_to and not message.reply_to:
            raise SoapFault(
                "wsa:FaultTo needs a wsa:ReplyTo that is not anonymous either",
                subcode="OnlyAnonymousAddressSupported",
            )
        if message.reply_to and self._replies is not None:
            self._replies.reserve()

    def _response(self, said: Answer | SoapFault, message: envelope.Message) -> Response:
        if isinstance(said, SoapFault):
            return _fault(said, message.message_id)
        if not said.body:
            return Response(status_code=202)
        action = said.action or f"{message.action}Response"
        root = envelope.write(action, said.body, message.message_id)
        if not said.mtom:
            return Response(root, media_type=_SIMPLE)
        mtom = MtomAnswer(root, said.parts, self._store)
        headers = {"content-type": mtom.content_type, "content-length": str(mtom.length)}
        if mtom.length > _AT_ONCE_BYTES:
            return _Streamed(mtom, headers)
        try:
            return Response(b"".join(mtom), headers=headers)
        finally:
            mtom.discard()

    def _outgoing(self, said: Answer | SoapFault, message: envelope.Message, to: str) -> Outgoing:
        """Return the answer as a message of its own to another address."""
        if isinstance(said, SoapFault):
            root = faults.render(said, message.message_id, to=to)
        else:
            action = said.action or f"{message.action}Response"
            root = envelope.write(action, said.body, message.message_id, to=to)
            if said.mtom:
                mtom = MtomAnswer(root, said.parts, self._store)
                return Outgoing(mtom.content_type, mtom.length, mtom, mtom.discard)
        return Outgoing(_SIMPLE, len(root), (root,), _nothing)


class _Streamed(StreamingResponse):
    """Sends an MTOM package, then lets go of what lies in no store, whoever hung up."""

    def __init__(self, mtom: MtomAnswer, headers: Mapping[str, str]) -> None:
        super().__init__(iter(mtom), headers=headers)
        self._mtom = mtom

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._mtom.discard()


class _Accepted(Response):
    """Says 202, then has the answer sent to its address."""

    def __init__(self, replies: Replies, address: str, message: Outgoing) -> None:
        super().__init__(status_code=202)
        self._replies = replies
        self._address = address
        self._message = message

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            # The request is done, whether or not its sender waited to hear so.
            self._replies.send(self._address, self._message)


def _nothing() -> None:
    return


def _fault(fault: SoapFault, relates_to: str = "") -> Response:
    headers = {"www-authenticate": "Bearer"} if fault.challenge else None
    return Response(
        faults.render(fault, relates_to),
        status_code=fault.status,
        media_type=_SIMPLE,
        headers=headers,
    )


def _description(service: SoapPort) -> Callable[[Request], Awaitable[Response]]:
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
