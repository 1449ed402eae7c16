"""The doors of XDS: POST /xds/registry and /xds/repository, and their WSDL.

Implements the SOAP bindings of ITI TF-2 3.18.5, 3.41.5, 3.42.5, 3.43.5 and RAD TF-3 4.68.
Mounted by `server.http`; made by `server.wiring` through `build_router`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

import schemas
from adapters.guard.guard import Guard
from adapters.soap import envelope, faults
from adapters.soap.exchange import Exchange, MtomAnswer
from adapters.soap.faults import SoapFault
from adapters.soap.multipart import Limits
from adapters.soap.names import SOAP_TYPE
from adapters.soap.wsdl import WsdlPages
from adapters.xds import names
from adapters.xds.call import Answer, Call, Transaction
from adapters.xds.faults import internal_fault, security_fault, unavailable_fault
from adapters.xds.iti18_registry_stored_query import RegistryStoredQuery
from adapters.xds.iti41_provide_and_register import ProvideAndRegisterDocumentSet
from adapters.xds.iti42_register_document_set import RegisterDocumentSet
from adapters.xds.iti43_retrieve_document_set import RetrieveDocumentSet
from adapters.xds.validation import SCHEMA_NAMES
from kernel.identifiers import PatientKeys
from kernel.refusals import Forbidden, Refusal, Unavailable
from projections.document_index.view import DocumentIndex
from registry.access.values import Subject
from repository.tiers.ports import BlobStore
from workflows.provide_and_register import ProvideAndRegister
from workflows.register_documents import RegisterDocuments

log = logging.getLogger("pianku.xds")
_AT_ONCE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class XdsParts:
    """What the doors of XDS stand on."""

    guard: Guard
    register: RegisterDocuments
    provide: ProvideAndRegister
    index: DocumentIndex
    store: BlobStore
    patient_keys: PatientKeys
    limits: Limits = field(default_factory=Limits)
    max_results: int = 5000


def build_router(parts: XdsParts) -> APIRouter:
    """Return the routes of registry and repository."""
    query = RegistryStoredQuery(
        parts.index, parts.patient_keys, parts.guard, max_results=parts.max_results
    )
    registry: dict[str, Transaction] = {
        names.ITI_18: query,
        names.ITI_42: RegisterDocumentSet(parts.register, parts.guard),
    }
    repository: dict[str, Transaction] = {
        names.ITI_41: ProvideAndRegisterDocumentSet(parts.provide, parts.register, parts.guard),
        names.ITI_43: RetrieveDocumentSet(
            parts.index, parts.store, parts.guard, repository_oid=parts.provide.repository_oid
        ),
    }
    router = APIRouter()
    for path, wsdl, transactions in (
        ("/xds/registry", "xds/registry.wsdl", registry),
        ("/xds/repository", "xds/repository.wsdl", repository),
    ):
        router.add_route(path, _Door(parts, transactions).post, methods=["POST"])
        router.add_route(path, _description(wsdl), methods=["GET"])
    return router


class _Door:
    """One service: reads a SOAP request, calls its transaction, writes the response."""

    def __init__(self, parts: XdsParts, transactions: Mapping[str, Transaction]) -> None:
        self._guard = parts.guard
        self._store = parts.store
        self._limits = parts.limits
        self._transactions = transactions

    async def post(self, request: Request) -> Response:
        """Answer one request; whatever is wrong with the envelope becomes a SOAP fault."""
        exchange: Exchange | None = None
        try:
            subject = await run_in_threadpool(self._guard.http_subject, request)
            exchange = Exchange(request.headers.get("content-type", ""), self._store, self._limits)
            await exchange.receive(request)
            return await run_in_threadpool(self._answer, subject, exchange)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except (SoapFault, Refusal) as problem:
            return _fault(_as_fault(problem))
        finally:
            if exchange is not None and exchange.parts_left:
                await run_in_threadpool(exchange.discard)

    def _answer(self, subject: Subject, exchange: Exchange) -> Response:
        """Run the transaction, in a worker thread."""
        message_id = ""
        try:
            message = exchange.message()
            message_id = message.message_id
            answer = self._transaction(message.action)(Call(subject, message.body, exchange))
            return self._response(f"{message.action}Response", answer, message_id)
        except (SoapFault, Refusal) as problem:
            return _fault(_as_fault(problem), message_id)
        except Exception as problem:
            correlation = uuid4().hex
            # The text of an exception may quote the request: only its kind is told.
            log.error(  # noqa: TRY400
                "transaction failed",
                extra={"correlation": correlation, "problem": type(problem).__name__},
            )
            log.debug("transaction failed by", exc_info=problem)
            return _fault(internal_fault(correlation), message_id)

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


def _as_fault(problem: SoapFault | Refusal) -> SoapFault:
    if isinstance(problem, SoapFault):
        return problem
    if isinstance(problem, Forbidden):
        return security_fault(problem)
    if isinstance(problem, Unavailable):
        return unavailable_fault(problem)
    return SoapFault(problem.message)


def _fault(fault: SoapFault, relates_to: str = "") -> Response:
    headers = {"www-authenticate": "Bearer"} if fault.challenge else None
    return Response(
        faults.render(fault, relates_to),
        status_code=fault.status,
        media_type=f"{SOAP_TYPE}; charset=utf-8",
        headers=headers,
    )


def _description(wsdl: str) -> Callable[[Request], Awaitable[Response]]:
    pages = WsdlPages(
        schemas.path(wsdl), {name: schemas.path(f"xds/{name}") for name in SCHEMA_NAMES}
    )

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
