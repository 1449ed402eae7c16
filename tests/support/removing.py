"""What asks for removals, and for on-demand documents, over the wire.

ITI TF-2 3.61, 3.62, 3.86. Called by tests of adapters/xds and by walks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import msgspec
from lxml import etree

from adapters.xds import encode
from registry.documents.values import ON_DEMAND, DocumentEntry, Submission
from tests.support import xds
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import entry

ITI61: Final = "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry"
ITI62: Final = "urn:ihe:iti:2010:DeleteDocumentSet"
ITI86: Final = "urn:ihe:iti:2017:RemoveDocuments"
RMD: Final = "urn:ihe:iti:rmd:2017"
GET_ALL: Final = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3"


def remove_metadata(client: SoapClient, *things: Any) -> Answer:
    """Send ITI-62 for registry objects, or for ids as they are to be sent."""
    return client.call("/xds/registry", ITI62, remove_metadata_body(map(_ref, things)))


def remove_metadata_body(refs: Iterable[str], more: str = "", attributes: str = "") -> str:
    """Return the body of ITI-62."""
    listed = "".join(f'<r:ObjectRef id="{ref}"/>' for ref in refs)
    return (
        f'<q1:RemoveObjectsRequest xmlns:q1="{xds.LCM}" xmlns:r="{xds.RIM}"{attributes}>{more}'
        f"<r:ObjectRefList>{listed}</r:ObjectRefList></q1:RemoveObjectsRequest>"
    )


def remove_documents(
    client: SoapClient, *documents: tuple[str, str], namespace: str = xds.XDS
) -> Answer:
    """Send ITI-86 for (repositoryUniqueId, uniqueId)."""
    named = "".join(
        f"<d:DocumentRequest><d:RepositoryUniqueId>{repository}</d:RepositoryUniqueId>"
        f"<d:DocumentUniqueId>\n {unique_id}</d:DocumentUniqueId></d:DocumentRequest>"
        for repository, unique_id in documents
    )
    return client.call(
        "/xds/repository", ITI86,
        f'<RemoveDocumentsRequest xmlns="{RMD}" xmlns:d="{namespace}">{named}'
        f"</RemoveDocumentsRequest>",
    )  # fmt: skip


def register_on_demand(client: SoapClient, asked: Submission) -> Answer:
    """Send ITI-61."""
    return client.call("/xds/registry", ITI61, encode.submit_request(asked))


def on_demand(**changes: Any) -> DocumentEntry:
    """Return a complete on-demand DocumentEntry of our own repository."""
    made = entry(
        object_type=ON_DEMAND, hash="", size=None, creation_time="", mime_type="text/plain"
    )
    return msgspec.structs.replace(made, **changes)


def get_all(client: SoapClient, patient_id: str) -> set[str]:
    """Return the ids of all that the registry holds of a patient."""
    status = "urn:oasis:names:tc:ebxml-regrep:StatusType:"
    both = f"('{status}Approved','{status}Deprecated')"
    answer = xds.stored_query(
        client, GET_ALL,
        {
            "$patientId": f"'{patient_id}'",
            "$XDSDocumentEntryStatus": both,
            "$XDSSubmissionSetStatus": both,
            "$XDSFolderStatus": both,
            "$XDSDocumentEntryType": f"('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1','{ON_DEMAND}')",
            "$MetadataLevel": "2",
        },
        return_type="ObjectRef",
    )  # fmt: skip
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return {str(thing.get("id")) for thing in xds.objects(answer)}


def responses(answer: Answer) -> list[dict[str, str]]:
    """Return the DocumentResponses of an ITI-43 answer as texts by element."""
    return [
        {etree.QName(child).localname: child.text or "" for child in response}
        for response in answer.body.iterfind("xds:DocumentResponse", xds.NAMES)
    ]


def _ref(thing: Any) -> str:
    if isinstance(thing, str):
        return thing
    uuid = thing if isinstance(thing, UUID) else thing.entry_uuid
    return f"urn:uuid:{uuid}"
