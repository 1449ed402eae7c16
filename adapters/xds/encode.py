"""Values -> message bodies: responses, found objects, submissions.

Implements ITI TF-3 4.2.4 (responses and errors), TF-2 3.18.4.1.2.4, 3.43.4.2.2 and 3.42.4.1.2.
Pure; called by the transaction modules, and by tests and peers that submit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from adapters.soap.names import XOP, escaped
from adapters.xds import encode_objects, names
from registry.documents.values import Submission

_PREFIXES: Final = f'xmlns:rs="{names.RS}" xmlns:rim="{names.RIM}"'


@dataclass(frozen=True, slots=True)
class RegistryError:
    """One error or warning of a response."""

    code: str
    context: str
    location: str = ""
    severity: str = names.ERROR


@dataclass(frozen=True, slots=True)
class DocumentResponse:
    """One document of a retrieval; its octets travel in the MTOM part `cid`."""

    repository_unique_id: str
    document_unique_id: str
    mime_type: str
    cid: str
    home_community_id: str = ""
    new_repository_unique_id: str = ""
    """Where an on-demand document can be retrieved again."""
    new_document_unique_id: str = ""
    """The uniqueId of an on-demand document as it was made for this request."""


def registry_response(errors: Iterable[RegistryError] = (), status: str = "") -> str:
    """Return an rs:RegistryResponse; Failure when there are errors and no status is given."""
    listed = tuple(errors)
    told = status or (names.FAILURE if listed else names.SUCCESS)
    return (
        f'<rs:RegistryResponse {_PREFIXES} status="{told}">{_errors(listed)}</rs:RegistryResponse>'
    )


def query_response(
    objects: Iterable[str], errors: Iterable[RegistryError] = (), status: str = ""
) -> str:
    """Return a query:AdhocQueryResponse with objects that are encoded already.

    Failure when there are errors and no status is given.
    """
    listed = tuple(errors)
    status = status or (names.FAILURE if listed else names.SUCCESS)
    return (
        f'<query:AdhocQueryResponse xmlns:query="{names.QUERY}" {_PREFIXES} status="{status}">'
        f"{_errors(listed)}<rim:RegistryObjectList>{''.join(objects)}</rim:RegistryObjectList>"
        "</query:AdhocQueryResponse>"
    )


def retrieve_response(
    documents: Iterable[DocumentResponse], errors: Iterable[RegistryError]
) -> str:
    """Return an xds:RetrieveDocumentSetResponse whose documents are XOP includes."""
    given, failed = tuple(documents), tuple(errors)
    status = names.SUCCESS
    if failed:
        status = names.PARTIAL_SUCCESS if given else names.FAILURE
    return (
        f'<xds:RetrieveDocumentSetResponse xmlns:xds="{names.XDSB}">'
        + registry_response(failed, status)
        + "".join(_document(one) for one in given)
        + "</xds:RetrieveDocumentSetResponse>"
    )


def submit_request(submission: Submission) -> str:
    """Return the lcm:SubmitObjectsRequest of a submission (as a source sends it)."""
    objects = [
        *map(encode_objects.document_entry, submission.entries),
        encode_objects.submission_set(submission.submission_set),
        *map(encode_objects.folder, submission.folders),
        *map(encode_objects.association, submission.associations),
    ]
    return (
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{names.LCM}" xmlns:rim="{names.RIM}">'
        f"<rim:RegistryObjectList>{''.join(objects)}</rim:RegistryObjectList>"
        "</lcm:SubmitObjectsRequest>"
    )


def _errors(errors: tuple[RegistryError, ...]) -> str:
    if not errors:
        return ""
    listed = "".join(
        f'<rs:RegistryError errorCode="{escaped(e.code)}" codeContext="{escaped(e.context)}" '
        f'severity="{e.severity}" location="{escaped(e.location)}"/>'
        for e in errors
    )
    worst = names.ERROR if any(e.severity == names.ERROR for e in errors) else errors[0].severity
    return f'<rs:RegistryErrorList highestSeverity="{worst}">{listed}</rs:RegistryErrorList>'


def _document(one: DocumentResponse) -> str:
    home = _optional("HomeCommunityId", one.home_community_id)
    return (
        f"<xds:DocumentResponse>{home}"
        f"<xds:RepositoryUniqueId>{escaped(one.repository_unique_id)}</xds:RepositoryUniqueId>"
        f"<xds:DocumentUniqueId>{escaped(one.document_unique_id)}</xds:DocumentUniqueId>"
        f"{_optional('NewRepositoryUniqueId', one.new_repository_unique_id)}"
        f"{_optional('NewDocumentUniqueId', one.new_document_unique_id)}"
        f"<xds:mimeType>{escaped(one.mime_type)}</xds:mimeType>"
        f'<xds:Document><xop:Include xmlns:xop="{XOP}" href="cid:{one.cid}"/></xds:Document>'
        "</xds:DocumentResponse>"
    )


def _optional(element: str, value: str) -> str:
    return f"<xds:{element}>{escaped(value)}</xds:{element}>" if value else ""
