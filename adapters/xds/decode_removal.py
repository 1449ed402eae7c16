"""Message bodies -> what is to be removed: registry objects, or documents of the repository.

Implements ITI TF-2 3.62.4.1.2 and 3.86.4.1.2. Pure; called by the transaction modules. Raises
SoapFault for what is no such message, refusals for what it may not ask.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from lxml import etree

from adapters.soap.faults import SoapFault
from adapters.xds import names
from adapters.xds.decode import DocumentRequest
from adapters.xds.validation import validate
from kernel.identifiers import BadIdentifier, entry_uuid
from registry.documents.refusals import MetadataInvalid, ReferenceUnresolved

_REMOVE_OBJECTS: Final = f"{{{names.LCM}}}RemoveObjectsRequest"
_AD_HOC: Final = f"{{{names.RIM}}}AdhocQuery"
_REF: Final = f"{{{names.RIM}}}ObjectRefList/{{{names.RIM}}}ObjectRef"
_EVERYTHING: Final = "urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteAll"
_REMOVE_DOCUMENTS: Final = f"{{{names.RMD}}}RemoveDocumentsRequest"
_NAMESPACES: Final = (names.XDSB, names.RMD)
"""Both are met: the schema of the profile was read in two ways."""
_MAX_NAMED: Final = 10_000
_MAX_DOCUMENTS: Final = 1000
_MAX_VALUE: Final = 256


def remove_objects_request(body: etree._Element) -> tuple[UUID, ...]:
    """Return the entryUUIDs that an ITI-62 body names, once each."""
    if body.tag != _REMOVE_OBJECTS:
        raise SoapFault("the Body must hold RemoveObjectsRequest")
    validate(body, "lcm.xsd")
    if body.find(_AD_HOC) is not None:
        raise MetadataInvalid("objects are removed by reference, not by query")
    if (body.get("deletionScope") or _EVERYTHING).strip() != _EVERYTHING:
        raise MetadataInvalid("no part of an object can be removed", attribute="deletionScope")
    refs = body.findall(_REF)
    if not refs:
        raise MetadataInvalid("the request names no object", attribute="ObjectRefList")
    if len(refs) > _MAX_NAMED:
        raise SoapFault(f"more than {_MAX_NAMED} objects in one request", status=413)
    return tuple(dict.fromkeys(_named(ref.get("id", "")) for ref in refs))


def remove_documents_request(body: etree._Element) -> list[DocumentRequest]:
    """Return the documents that an ITI-86 body names, once each."""
    if body.tag != _REMOVE_DOCUMENTS:
        raise SoapFault("the Body must hold RemoveDocumentsRequest")
    named = [child for child in body if isinstance(child.tag, str)]
    if not named:
        raise SoapFault("the request names no document")
    if len(named) > _MAX_DOCUMENTS:
        raise SoapFault(f"more than {_MAX_DOCUMENTS} documents in one request", status=413)
    return list(dict.fromkeys(_document(child) for child in named))


def _named(text: str) -> UUID:
    told = text.strip()
    try:
        return entry_uuid(told.lower())
    except BadIdentifier:
        raise ReferenceUnresolved(
            f"{told[:_MAX_VALUE]} is not in the registry", object=told[:_MAX_VALUE]
        ) from None


def _document(request: etree._Element) -> DocumentRequest:
    if request.tag not in {f"{{{ns}}}DocumentRequest" for ns in _NAMESPACES}:
        raise SoapFault("RemoveDocumentsRequest holds DocumentRequest elements only")
    told = DocumentRequest(
        repository_unique_id=_child(request, "RepositoryUniqueId"),
        document_unique_id=_child(request, "DocumentUniqueId"),
        home_community_id=_child(request, "HomeCommunityId"),
    )
    if not told.repository_unique_id or not told.document_unique_id:
        raise SoapFault("a DocumentRequest needs RepositoryUniqueId and DocumentUniqueId")
    return told


def _child(element: etree._Element, name: str) -> str:
    for namespace in _NAMESPACES:
        found = element.findtext(f"{{{namespace}}}{name}")
        if found is not None:
            return found.strip()
    return ""
