"""An XDS document source and consumer: metadata written by hand, answers read with XPath.

ITI TF-2 3.18 (stored query), 3.41 (provide and register), 3.43 (retrieve); ITI TF-3 4.2 metadata.
Called by walks, soak tests and benchmarks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4
from xml.sax.saxutils import escape

from lxml import etree

from tests.support.ct import new_uid
from tests.support.soap import Answer, SoapClient, included

RIM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
QUERY: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0"
LCM: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
RS: Final = "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0"
XDS: Final = "urn:ihe:iti:xds-b:2007"
NAMES: Final = {"rim": RIM, "query": QUERY, "lcm": LCM, "rs": RS, "xds": XDS}
Element = etree._Element
SUCCESS: Final = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
APPROVED: Final = "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
ITI18: Final = "urn:ihe:iti:2007:RegistryStoredQuery"
ITI41: Final = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b"
ITI43: Final = "urn:ihe:iti:2007:RetrieveDocumentSet"
FIND_DOCUMENTS: Final = "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d"
FIND_BY_REFERENCE: Final = "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492"
SET_NODE: Final = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"
UNIQUE_ID: Final = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"

_LOINC: Final = "2.16.840.1.113883.6.1"
CODES: Final[Mapping[str, tuple[str, str, str]]] = {
    "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": ("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1", "Reports"),
    "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983": ("18748-4", _LOINC, "Diagnostic imaging study"),
    "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d": (
        "urn:ihe:iti:xds-sd:pdf:2008", "1.3.6.1.4.1.19376.1.2.3", "PDF"),
    "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f": ("N", "2.16.840.1.113883.5.25", "normal"),
    "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": (
        "22232009", "2.16.840.1.113883.6.96", "Hospital"),
    "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead": (
        "394914008", "2.16.840.1.113883.6.96", "Radiology"),
}  # fmt: skip
"""The six codes of a DocumentEntry by classification scheme: code, coding scheme, display."""
CONTENT_TYPE: Final = ("18748-4", _LOINC, "Diagnostic imaging study")


@dataclass
class Document:
    """A document to submit."""

    content: bytes
    patient_id: str
    """The CX, for example `P1^^^&2.25.1&ISO`."""
    title: str = "Report"
    mime_type: str = "application/pdf"
    unique_id: str = field(default_factory=new_uid)
    codes: Mapping[str, tuple[str, str, str]] = field(default_factory=lambda: CODES)


def provide_and_register(
    client: SoapClient, document: Document, *, mtom: bool = True,
    relation: tuple[str, str] | None = None,
) -> Answer:  # fmt: skip
    """Send ITI-41 with one document; `relation` is its association type and target."""
    content_id = f"{uuid4()}@walk"
    body = submission(document, f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" '
                                f'href="cid:{content_id}"/>', relation)  # fmt: skip
    return client.call(
        "/xds/repository", ITI41, body, {content_id: document.content} if mtom else None
    )


def submission(document: Document, inside: str, relation: tuple[str, str] | None = None) -> str:
    """Return the body of ITI-41; `inside` is the content of xds:Document."""
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    entry = "".join((
        _slot("creationTime", now), _slot("languageCode", "zh-CN"),
        _slot("sourcePatientId", document.patient_id),
        f'<rim:Name><rim:LocalizedString value="{escape(document.title)}"/></rim:Name>',
        *(_code(scheme, "doc", *code) for scheme, code in document.codes.items()),
        _identifier("urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427", "doc",
                    "XDSDocumentEntry.patientId", document.patient_id),
        _identifier(UNIQUE_ID, "doc", "XDSDocumentEntry.uniqueId", document.unique_id),
    ))  # fmt: skip
    submission_set = "".join((
        _slot("submissionTime", now),
        _code("urn:uuid:aa543740-bdda-424e-8c96-df4873be8500", "set", *CONTENT_TYPE),
        f'<rim:Classification id="{_id()}" classifiedObject="set" classificationNode="{SET_NODE}"/>',
        _identifier("urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446", "set",
                    "XDSSubmissionSet.patientId", document.patient_id),
        _identifier("urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832", "set",
                    "XDSSubmissionSet.sourceId", "2.25.7777"),
        _identifier("urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8", "set",
                    "XDSSubmissionSet.uniqueId", new_uid()),
    ))  # fmt: skip
    related = "" if relation is None else (
        f'<rim:Association id="{_id()}" sourceObject="doc" targetObject="{relation[1]}" '
        f'associationType="{relation[0]}"/>'
    )  # fmt: skip
    return (
        f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{XDS}" xmlns:lcm="{LCM}" '
        f'xmlns:rim="{RIM}"><lcm:SubmitObjectsRequest><rim:RegistryObjectList>'
        f'<rim:ExtrinsicObject id="doc" mimeType="{document.mime_type}" '
        f'objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">{entry}</rim:ExtrinsicObject>'
        f'<rim:RegistryPackage id="set">{submission_set}</rim:RegistryPackage>'
        f'<rim:Association id="{_id()}" sourceObject="set" targetObject="doc" '
        f'associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember">'
        f"{_slot('SubmissionSetStatus', 'Original')}</rim:Association>{related}"
        f"</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"
        f'<xds:Document id="doc">{inside}</xds:Document>'
        f"</xds:ProvideAndRegisterDocumentSetRequest>"
    )


def stored_query(
    client: SoapClient, query: str, parameters: Mapping[str, str], *, return_type: str = "LeafClass"
) -> Answer:
    """Send ITI-18; parameter values are written as on the wire: `'v'` or `('a','b')`."""
    return client.call(
        "/xds/registry", ITI18,
        f'<query:AdhocQueryRequest xmlns:query="{QUERY}" xmlns:rim="{RIM}">'
        f'<query:ResponseOption returnType="{return_type}" returnComposedObjects="true"/>'
        f'<rim:AdhocQuery id="{query}">{slots(parameters)}</rim:AdhocQuery></query:AdhocQueryRequest>',
    )  # fmt: skip


def find_documents(
    client: SoapClient, patient_id: str, more: Mapping[str, str] | None = None,
    *, return_type: str = "LeafClass",
) -> list[etree._Element]:  # fmt: skip
    """Return the approved DocumentEntries of a patient."""
    answer = stored_query(client, FIND_DOCUMENTS, {
        "$XDSDocumentEntryPatientId": f"'{patient_id}'",
        "$XDSDocumentEntryStatus": f"('{APPROVED}')", **(more or {}),
    }, return_type=return_type)  # fmt: skip
    assert status(answer) == SUCCESS, answer.text()
    return objects(answer)


def retrieve(client: SoapClient, repository: str, unique_ids: Sequence[str]) -> dict[str, bytes]:
    """Return the documents by ITI-43."""
    answer = retrieve_answer(client, repository, unique_ids)
    registry = answer.body.find("rs:RegistryResponse", NAMES)
    assert registry is not None, answer.text()
    assert registry.get("status") == SUCCESS, answer.text()
    return {
        response.findtext("xds:DocumentUniqueId", "", NAMES): included(
            response.find("xds:Document", NAMES), answer.parts
        )
        for response in answer.body.findall("xds:DocumentResponse", NAMES)
    }


def retrieve_answer(client: SoapClient, repository: str, unique_ids: Sequence[str]) -> Answer:
    """Send ITI-43 and return the raw answer."""
    body = retrieve_body(repository, unique_ids)
    return client.call("/xds/repository", ITI43, body, mtom=True)


def retrieve_body(repository: str, unique_ids: Sequence[str]) -> str:
    """Return the body of ITI-43."""
    requests = "".join(
        f"<xds:DocumentRequest><xds:RepositoryUniqueId>{repository}</xds:RepositoryUniqueId>"
        f"<xds:DocumentUniqueId>{uid}</xds:DocumentUniqueId></xds:DocumentRequest>"
        for uid in unique_ids
    )
    return (
        f'<xds:RetrieveDocumentSetRequest xmlns:xds="{XDS}">{requests}'
        f"</xds:RetrieveDocumentSetRequest>"
    )


def objects(answer: Answer) -> list[etree._Element]:
    """Return the registry objects of an ITI-18 answer."""
    found = answer.body.find("rim:RegistryObjectList", NAMES)
    return [] if found is None else list(found)


def status(answer: Answer) -> str:
    """Return the response status of ITI-18, 41 or 42 ("" for a fault)."""
    return str(answer.body.get("status") or "")


def errors(answer: Answer) -> list[str]:
    """Return the error codes of an answer."""
    return [str(e.get("errorCode")) for e in answer.body.iterfind(".//rs:RegistryError", NAMES)]


def slots(parameters: Mapping[str, str]) -> str:
    """Return the slots of a query."""
    return "".join(_slot(name, value) for name, value in parameters.items())


def slot(entry: etree._Element, name: str) -> list[str]:
    """Return the values of a slot."""
    path = f"rim:Slot[@name='{name}']/rim:ValueList/rim:Value"
    return [value.text or "" for value in entry.iterfind(path, NAMES)]


def unique_id(entry: etree._Element) -> str:
    """Return the uniqueId of a DocumentEntry."""
    path = f"rim:ExternalIdentifier[@identificationScheme='{UNIQUE_ID}']"
    found = entry.find(path, NAMES)
    assert found is not None
    return str(found.get("value"))


def _id() -> str:
    return f"id-{uuid4()}"


def _slot(name: str, value: str) -> str:
    return (f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{escape(value)}</rim:Value>'
            f"</rim:ValueList></rim:Slot>")  # fmt: skip


def _code(scheme: str, of: str, code: str, coding_scheme: str, display: str) -> str:
    return (
        f'<rim:Classification id="{_id()}" classificationScheme="{scheme}" classifiedObject="{of}" '
        f'nodeRepresentation="{code}">{_slot("codingScheme", coding_scheme)}'
        f'<rim:Name><rim:LocalizedString value="{display}"/></rim:Name></rim:Classification>'
    )


def _identifier(scheme: str, of: str, name: str, value: str) -> str:
    return (
        f'<rim:ExternalIdentifier id="{_id()}" registryObject="{of}" '
        f'identificationScheme="{scheme}" value="{escape(value)}">'
        f'<rim:Name><rim:LocalizedString value="{name}"/></rim:Name></rim:ExternalIdentifier>'
    )
