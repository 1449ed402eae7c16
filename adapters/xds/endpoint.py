"""The services of XDS: /xds/registry and /xds/repository, made of their transactions.

Implements the SOAP bindings of ITI TF-2 3.18.5, 3.41.5, 3.42.5, 3.43.5 and RAD TF-3 4.68 through
`adapters.soap.door`. Made by `server.web_door` through `build_router`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter

import schemas
from adapters.guard.guard import Guard
from adapters.soap.door import SoapPort, Transaction, build_soap_router
from adapters.soap.multipart import Limits
from adapters.soap.replies import Replies
from adapters.xds import names
from adapters.xds.communities import Communities
from adapters.xds.gateways import (
    GatewayParts,
    imaging_transactions,
    query_transactions,
    retrieve_transactions,
)
from adapters.xds.iti18_registry_stored_query import RegistryStoredQuery
from adapters.xds.iti41_provide_and_register import ProvideAndRegisterDocumentSet
from adapters.xds.iti42_register_document_set import RegisterDocumentSet
from adapters.xds.iti43_retrieve_document_set import RetrieveDocumentSet
from adapters.xds.iti51_multi_patient_query import multi_patient_query
from adapters.xds.iti57_update_document_set import UpdateDocumentSet
from adapters.xds.iti61_register_on_demand import RegisterOnDemandEntries
from adapters.xds.iti62_remove_metadata import RemoveMetadataSet
from adapters.xds.iti86_remove_documents import RemoveDocumentSet
from adapters.xds.iti92_restricted_update import RestrictedUpdateDocumentSet
from adapters.xds.notification_broker import Broker, broker_services
from adapters.xds.rad68_provide_and_register_imaging import ExamineManifests
from adapters.xds.rad69_retrieve_imaging_document_set import RetrieveImagingDocumentSet
from adapters.xds.validation import SCHEMA_NAMES
from kernel.identifiers import PatientKeys
from projections.document_index.view import DocumentIndex
from projections.storage_map.view import StorageMap
from repository.tiers.ports import BlobStore
from workflows.generate_on_demand import GenerateOnDemand
from workflows.provide_and_register import ProvideAndRegister
from workflows.register_documents import RegisterDocuments
from workflows.register_on_demand import RegisterOnDemand
from workflows.remove_documents import RemoveDocuments
from workflows.remove_metadata import RemoveMetadata
from workflows.retrieve_object import Corrections, uncorrected
from workflows.update_documents import UpdateDocuments


@dataclass(frozen=True, slots=True)
class XdsParts:
    """What the services of XDS stand on."""

    guard: Guard
    register: RegisterDocuments
    provide: ProvideAndRegister
    index: DocumentIndex
    store: BlobStore
    patient_keys: PatientKeys
    register_on_demand: RegisterOnDemand
    generate_on_demand: GenerateOnDemand
    remove_metadata: RemoveMetadata
    remove_documents: RemoveDocuments
    update: UpdateDocuments
    limits: Limits = field(default_factory=Limits)
    max_results: int = 5000
    communities: Communities | None = None
    """Our community and the others; without them there are no gateways."""
    manifests: ExamineManifests | None = None
    """How manifests that come in are held against their metadata; None: refused, unaided."""
    storage: StorageMap | None = None
    """Where instances lie; without it there is no imaging document source."""
    corrections: Corrections = uncorrected
    """Which of them have a corrected header (decision 0024)."""
    broker: Broker | None = None
    """Where one subscribes to documents; without it there is no `/dsub`."""
    replies: Replies | None = None
    """Where answers may go to instead of back on the connection."""


def build_router(parts: XdsParts) -> APIRouter:
    """Return the routes of all services of XDS."""
    return build_soap_router(
        services(parts), parts.guard, parts.store, parts.limits, replies=parts.replies
    )


def services(parts: XdsParts) -> Sequence[SoapPort]:
    """Return the services, each with its transactions by the action of their requests."""
    return (
        _service("/xds/registry", "registry.wsdl", _registry(parts)),
        _service("/xds/repository", "repository.wsdl", _repository(parts)),
        *_imaging(parts),
        *_gateways(parts),
        *(broker_services(parts.broker, parts.guard) if parts.broker is not None else ()),
    )


def imaging_service(retrieve: Transaction) -> SoapPort:
    """Return the service of an imaging document source (RAD TF-2 4.69.5)."""
    transactions = {names.RAD_69: retrieve}
    return _service("/xds/imaging", "imaging.wsdl", transactions, ("xdsi-b.xsd",))


def _registry(parts: XdsParts) -> dict[str, Transaction]:
    return {
        names.ITI_18: _query(parts),
        names.ITI_42: RegisterDocumentSet(parts.register, parts.guard),
        names.ITI_51: multi_patient_query(
            parts.index, parts.patient_keys, parts.guard, max_results=parts.max_results
        ),
        names.ITI_57: UpdateDocumentSet(parts.update, parts.guard),
        names.ITI_61: RegisterOnDemandEntries(parts.register_on_demand, parts.guard),
        names.ITI_62: RemoveMetadataSet(parts.remove_metadata, parts.guard),
        names.ITI_92: RestrictedUpdateDocumentSet(parts.update, parts.guard),
    }


def _repository(parts: XdsParts) -> dict[str, Transaction]:
    provide, guard = parts.provide, parts.guard
    return {
        names.ITI_41: ProvideAndRegisterDocumentSet(
            provide, parts.register, guard, manifests=parts.manifests
        ),
        names.ITI_43: _retrieve(parts),
        names.ITI_86: RemoveDocumentSet(parts.remove_documents, guard),
    }


def _imaging(parts: XdsParts) -> Sequence[SoapPort]:
    if parts.storage is None:
        return ()
    return (imaging_service(_images(parts, parts.storage)),)


def _gateways(parts: XdsParts) -> Sequence[SoapPort]:
    if parts.communities is None:
        return ()
    gateways = GatewayParts(
        parts.communities,
        parts.guard,
        parts.patient_keys,
        own_query=_query(parts),
        shared_query=_query(parts, "ITI-38"),
        own_retrieve=_retrieve(parts),
        shared_retrieve=_retrieve(parts, "ITI-39"),
    )
    made = [
        _service("/xca/query", "gateway-query.wsdl", query_transactions(gateways)),
        _service("/xca/retrieve", "gateway-retrieve.wsdl", retrieve_transactions(gateways)),
    ]
    if parts.storage is not None:
        own, shared = _images(parts, parts.storage), _images(parts, parts.storage, "RAD-75")
        images = imaging_transactions(gateways, own, shared)
        made.append(_service("/xca/imaging", "gateway-imaging.wsdl", images, ("xdsi-b.xsd",)))
    return made


def _query(parts: XdsParts, transaction: str = "ITI-18") -> Transaction:
    return RegistryStoredQuery(
        parts.index,
        parts.patient_keys,
        parts.guard,
        max_results=parts.max_results,
        transaction=transaction,
    )


def _retrieve(parts: XdsParts, transaction: str = "ITI-43") -> Transaction:
    return RetrieveDocumentSet(
        parts.index,
        parts.store,
        parts.guard,
        parts.generate_on_demand,
        repository_oid=parts.provide.repository_oid,
        transaction=transaction,
    )


def _images(parts: XdsParts, storage: StorageMap, transaction: str = "RAD-69") -> Transaction:
    return RetrieveImagingDocumentSet(
        storage,
        parts.store,
        parts.guard,
        source_oids=(parts.provide.repository_oid,),
        transaction=transaction,
        corrections=parts.corrections,
    )


def _service(
    path: str, wsdl: str, transactions: Mapping[str, Transaction], also: Sequence[str] = ()
) -> SoapPort:
    return SoapPort(
        path,
        schemas.path(f"xds/{wsdl}"),
        transactions,
        {name: schemas.path(f"xds/{name}") for name in (*SCHEMA_NAMES, *also)},
    )
