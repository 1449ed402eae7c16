"""Refusals -> XDS error codes; what concerns the caller is a SOAP fault (`adapters.soap.faults`).

Implements ITI TF-3 table 4.2.4.1-2 (error codes). The nearest class in a refusal's ancestry
decides, so every leaf of `kernel.refusals` has its word. Called by the endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adapters.xds import refusals as queries
from adapters.xds.encode import RegistryError
from kernel.identifiers import BadIdentifier
from kernel.ledger.ports import LedgerUnavailable
from kernel.refusals import Conflict, Forbidden, Invalid, NotFound, Refusal, TooMuch, Unavailable
from projections.database import ViewBehind
from registry.documents import refusals as documents
from repository.instances import refusals as instances
from repository.objects import refusals as objects
from repository.tiers.ports import ObjectMissing, StorageUnavailable

_CODES: Final[Mapping[type[Refusal], str]] = {
    Refusal: "XDSRegistryError",
    Invalid: "XDSRegistryMetadataError",
    NotFound: "XDSRegistryError",
    Conflict: "XDSRegistryError",
    Forbidden: "XDSRegistryError",
    TooMuch: "XDSRegistryOutOfResources",
    Unavailable: "XDSRegistryBusy",
    BadIdentifier: "XDSRegistryMetadataError",
    LedgerUnavailable: "XDSRegistryNotAvailable",
    ViewBehind: "XDSRegistryBusy",
    documents.MetadataInvalid: "XDSRegistryMetadataError",
    documents.PatientUnknown: "XDSUnknownPatientId",
    documents.PatientIdMismatch: "XDSPatientIdDoesNotMatch",
    documents.UniqueIdTwice: "XDSRegistryDuplicateUniqueIdInMessage",
    documents.UniqueIdTaken: "XDSDuplicateUniqueIdInRegistry",
    documents.DocumentHashDiffers: "XDSNonIdenticalHash",
    documents.DocumentSizeDiffers: "XDSNonIdenticalSize",
    documents.EntryUuidTaken: "XDSRegistryError",
    documents.ReferenceUnresolved: "UnresolvedReferenceException",
    documents.TargetDeprecated: "XDSRegistryDeprecatedDocumentError",
    documents.StillReferenced: "ReferencesExistException",
    documents.LeftUnreferenced: "XDSUnreferencedObjectException",
    documents.UpdateRefused: "XDSMetadataUpdateError",
    documents.UpdateNotUnderstood: "XDSMetadataUpdateOperationError",
    documents.VersionMismatch: "XDSMetadataVersionError",
    documents.PatientNotReconciled: "XDSPatientIDReconciliationError",
    documents.ObjectKindRefused: "XDSObjectTypeError",
    documents.IdentifierChanged: "XDSMetadataIdentifierError",
    documents.AttributeFixed: "UnmodifiableMetadataError",
    documents.NotAnUpdate: "XDSInvalidRequestException",
    documents.AnnotationInvalid: "XDSMetadataAnnotationError",
    objects.ContentMissing: "XDSMissingDocument",
    objects.MetadataMissing: "XDSMissingDocumentMetadata",
    objects.ContentHashWrong: "XDSRepositoryMetadataError",
    objects.ContentSizeWrong: "XDSRepositoryMetadataError",
    objects.DocumentUnknown: "XDSDocumentUniqueIdError",
    objects.RepositoryUnknown: "XDSUnknownRepositoryId",
    objects.DocumentNotRemovable: "XDSRemoveDocumentsError",
    objects.DocumentNotGenerated: "XDSDocumentUniqueIdError",
    ObjectMissing: "XDSRepositoryError",
    StorageUnavailable: "XDSRepositoryOutOfResources",
    queries.RetrieveRequestMalformed: "XDSRepositoryError",
    queries.QueryUnknown: "XDSUnknownStoredQuery",
    queries.QueryParameterMissing: "XDSStoredQueryMissingParam",
    queries.QueryParameterCount: "XDSStoredQueryParamNumber",
    queries.QueryParameterMalformed: "XDSRegistryError",
    queries.ResultNotSinglePatient: "XDSResultNotSinglePatient",
    queries.TooManyResults: "XDSTooManyResults",
    instances.ManifestMismatch: "XDSRepositoryMetadataError",
    instances.NotAManifest: "XDSRepositoryMetadataError",
    queries.ImagingRequestIncomplete: "XDSIRequestError",
    queries.TransferSyntaxNotAvailable: "XDSRepositoryError",
}


_REPOSITORY_CODES: Final[Mapping[type[Refusal], str]] = {
    documents.UniqueIdTwice: "XDSRepositoryDuplicateUniqueIdInMessage",
    TooMuch: "XDSRepositoryOutOfResources",
    Unavailable: "XDSRepositoryBusy",
    ViewBehind: "XDSRepositoryBusy",
}
"""What a repository says where it does not hand on the registry's word."""


def error_code(refusal: type[Refusal]) -> str:
    """Return the XDS error code of a kind of refusal."""
    return next(_CODES[kind] for kind in refusal.__mro__ if kind in _CODES)


def registry_error(refusal: Refusal) -> RegistryError:
    """Return the entry of the RegistryErrorList that tells a refusal."""
    location = refusal.details.get("attribute") or refusal.details.get("object") or ""
    return RegistryError(error_code(type(refusal)), refusal.message, str(location))


def repository_error(refusal: Refusal) -> RegistryError:
    """Return the same from a Document Repository, which has words of its own for some."""
    error = registry_error(refusal)
    kind = next(kind for kind in type(refusal).__mro__ if kind in _CODES)
    return replace(error, code=_REPOSITORY_CODES.get(kind, error.code))
