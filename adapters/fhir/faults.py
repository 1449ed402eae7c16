"""Refusal -> HTTP status and OperationOutcome, for every interaction.

Implements HL7 FHIR R4 3.1.0.4 (status codes), OperationOutcome, and for documents the error codes
of ITI TF-3 table 4.2.4.1-2, as ITI TF-2 3.65.4.1.3 asks. Called by `endpoint.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from adapters.fhir import refusals as own
from adapters.fhir.element import Json
from adapters.http import problem
from adapters.http.refusals import MethodNotAllowed, NotAcceptable, UnsupportedMedia
from kernel.identifiers import BadIdentifier
from kernel.refusals import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TooMuch,
    Unauthenticated,
    Unavailable,
)
from registry.documents import refusals as documents
from repository.objects import refusals as objects

STATUS: Final[Mapping[type[Refusal], int]] = {
    **problem.STATUS,
    own.DocumentGone: 410,
    own.TargetDomainUnknown: 403,
    documents.MetadataInvalid: 422,
    documents.PatientUnknown: 422,
    documents.PatientIdMismatch: 422,
    documents.UniqueIdTwice: 422,
    documents.ReferenceUnresolved: 422,
    objects.ContentMissing: 422,
    objects.MetadataMissing: 422,
    objects.ContentHashWrong: 422,
    objects.ContentSizeWrong: 422,
    own.PatientUnresolved: 422,
    own.ContentElsewhere: 422,
}
"""3.1.0.4.2: 422 is for a resource that is FHIR and breaks a rule of the server's profiles."""

_ISSUES: Final[Mapping[type[Refusal], str]] = {
    Refusal: "processing",
    Invalid: "invalid",
    NotFound: "not-found",
    Conflict: "conflict",
    Forbidden: "forbidden",
    Unauthenticated: "login",
    TooMuch: "too-costly",
    Unavailable: "transient",
    BadIdentifier: "value",
    MethodNotAllowed: "not-supported",
    NotAcceptable: "not-supported",
    UnsupportedMedia: "not-supported",
    own.NotSupported: "not-supported",
    own.ResourceMalformed: "structure",
    own.ParameterMissing: "required",
    own.ParameterInvalid: "value",
    own.DocumentGone: "deleted",
    own.DomainUnknown: "code-invalid",
    own.TargetDomainUnknown: "code-invalid",
    own.ContentElsewhere: "required",
    documents.CodeUnknown: "code-invalid",
    documents.UniqueIdTaken: "duplicate",
    documents.UniqueIdTwice: "duplicate",
    documents.EntryUuidTaken: "duplicate",
    documents.PatientUnknown: "business-rule",
    documents.PatientIdMismatch: "business-rule",
    documents.ReferenceUnresolved: "not-found",
    objects.ContentMissing: "required",
    objects.MetadataMissing: "required",
}
"""Kind of refusal -> code of the value set issue-type."""

_XDS: Final[Mapping[type[Refusal], str]] = {
    documents.MetadataInvalid: "XDSRepositoryMetadataError",
    documents.PatientUnknown: "XDSUnknownPatientId",
    own.PatientUnresolved: "XDSUnknownPatientId",
    documents.PatientIdMismatch: "XDSPatientIdDoesNotMatch",
    documents.UniqueIdTwice: "XDSRepositoryDuplicateUniqueIdInMessage",
    documents.UniqueIdTaken: "XDSDuplicateUniqueIdInRegistry",
    documents.DocumentHashDiffers: "XDSNonIdenticalHash",
    documents.DocumentSizeDiffers: "XDSNonIdenticalSize",
    documents.ReferenceUnresolved: "UnresolvedReferenceException",
    documents.TargetDeprecated: "XDSRegistryDeprecatedDocumentError",
    objects.ContentMissing: "XDSMissingDocument",
    own.ContentElsewhere: "XDSMissingDocument",
    objects.MetadataMissing: "XDSMissingDocumentMetadata",
    objects.ContentHashWrong: "XDSRepositoryMetadataError",
    objects.ContentSizeWrong: "XDSRepositoryMetadataError",
}


def status_of(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal."""
    return problem.status_of(refusal, STATUS)


def issue_type(kind: type[Refusal]) -> str:
    """Return the issue type of a kind of refusal."""
    return next(_ISSUES[one] for one in kind.__mro__ if one in _ISSUES)


def outcome(refusal: Refusal) -> Json:
    """Return the OperationOutcome that tells a refusal."""
    codings: list[Json] = [{"system": "urn:pianku:refusal", "code": refusal.code}]
    xds = next((_XDS[one] for one in type(refusal).__mro__ if one in _XDS), "")
    if xds:
        codings.append({"code": xds})
    issue: Json = {
        "severity": "error",
        "code": issue_type(type(refusal)),
        "details": {"coding": codings, "text": refusal.message},
        "diagnostics": refusal.message,
    }
    place = refusal.details.get("attribute") or refusal.details.get("expression")
    if isinstance(place, str) and place:
        issue["expression"] = [place]
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def warning(code: str, text: str) -> Json:
    """Return the OperationOutcome of a warning."""
    issue = {"severity": "warning", "code": code, "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def defect(correlation: str) -> Json:
    """Return the OperationOutcome of our own mistake; the log has more under the same id."""
    issue = {
        "severity": "fatal",
        "code": "exception",
        "diagnostics": f"an error of the server, correlation {correlation}",
    }
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def headers(refusal: Refusal, status: int) -> list[tuple[bytes, bytes]]:
    """Return the headers that go with a refusal."""
    told = problem.problem(refusal, status)[1]
    return [(name, value) for name, value in told if name != b"content-type"]
