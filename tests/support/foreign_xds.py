"""Another product's document source and consumer: ebRIM with symbolic ids, taken apart at will.

ITI TF-3 4.2 metadata as text and as a tree that tests drop things from, double or spoil; nothing
of the product's own encoder. Called by the XDS conformance tests.
"""

from __future__ import annotations

import copy
import hashlib
import http.client
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

from lxml import etree

from adapters.xds import names
from kernel.identifiers import new_uid
from tests.support import xds
from tests.support.soap import Answer, SoapClient, _decode

ITI42: Final = "urn:ihe:iti:2007:RegisterDocumentSet-b"
ITI51: Final = "urn:ihe:iti:2009:MultiPatientStoredQuery"
HAS_MEMBER: Final = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"
IHE: Final = "urn:ihe:iti:2007:AssociationType:"
HASH: Final = hashlib.sha1(b"four").hexdigest()
LOINC: Final = "2.16.840.1.113883.6.1"
SNOMED: Final = "2.16.840.1.113883.6.96"
CONFIDENTIALITY: Final = "2.16.840.1.113883.5.25"
DOCUMENT_CODES: Final = {
    names.CLASS_CODE: ("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1"),
    names.CONFIDENTIALITY_CODE: ("N", CONFIDENTIALITY),
    names.FORMAT_CODE: ("urn:ihe:rad:TEXT", "1.3.6.1.4.1.19376.1.2.3"),
    names.FACILITY_CODE: ("264372000", SNOMED),
    names.PRACTICE_CODE: ("394914008", SNOMED),
    names.TYPE_CODE: ("11369-6", LOINC),
}

Element = etree._Element


def slot(name: str, *values: str) -> str:
    listed = "".join(f"<q:Value>{_text(value)}</q:Value>" for value in values)
    return f'<q:Slot name="{name}"><q:ValueList>{listed}</q:ValueList></q:Slot>'


def code(owner: str, scheme: str, value: str, coding_scheme: str, display: str = "shown") -> str:
    return (
        f'<q:Classification id="c{uuid4().hex}" classifiedObject="{owner}" '
        f'classificationScheme="{scheme}" nodeRepresentation="{_text(value)}">'
        f"{slot('codingScheme', coding_scheme)}"
        f'<q:Name><q:LocalizedString value="{display}"/></q:Name></q:Classification>'
    )


def author(owner: str, scheme: str, person: str = "^Wren^Ann^^^") -> str:
    return (
        f'<q:Classification id="c{uuid4().hex}" classifiedObject="{owner}" nodeRepresentation="" '
        f'classificationScheme="{scheme}">{slot("authorPerson", person)}'
        f"{slot('authorInstitution', 'North Clinic', 'South Clinic^^^^^&1.2.3&ISO^^^^77')}"
        f"{slot('authorRole', 'Attending')}</q:Classification>"
    )


def identifier(owner: str, scheme: str, value: str, name: str) -> str:
    return (
        f'<q:ExternalIdentifier id="e{uuid4().hex}" registryObject="{owner}" '
        f'identificationScheme="{scheme}" value="{_text(value)}">'
        f'<q:Name><q:LocalizedString value="{name}"/></q:Name></q:ExternalIdentifier>'
    )


def document(
    patient: str, own_id: str = "Document01", *, unique_id: str = "", hash_: str = HASH,
    size: int = 4, octets_elsewhere: bool = True, events: Iterable[tuple[str, str]] = (),
    codes: Mapping[str, tuple[str, str]] | None = None, more: str = "",
    slots: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """Return an ExtrinsicObject; without `octets_elsewhere` as ITI-41 sends it."""
    coded = {**DOCUMENT_CODES, **(codes or {})}
    filled = {
        "creationTime": "20051224", "languageCode": "en-us", "serviceStartTime": "200512230800",
        "serviceStopTime": "200512230801", "sourcePatientId": "89a^^^&1.3.4.5&ISO", **(slots or {}),
    }  # fmt: skip
    if octets_elsewhere:
        filled |= {"hash": hash_, "size": str(size), "repositoryUniqueId": "1.19.6.24.109"}
    return (
        f'<q:ExtrinsicObject id="{own_id}" mimeType="text/plain" objectType="{xds_stable()}">'
        + "".join(slot(name, value) for name, value in filled.items())
        + slot("sourcePatientInfo", "PID-3|pid1^^^&1.2.3&ISO", "PID-5|Doe^Jo^^^", "PID-8|M")
        + more
        + '<q:Name><q:LocalizedString value="Physical"/></q:Name><q:Description/>'
        + author(own_id, names.DOCUMENT_AUTHOR)
        + "".join(code(own_id, scheme, *value) for scheme, value in coded.items())
        + "".join(code(own_id, names.EVENT_CODE, *value) for value in events)
        + identifier(own_id, names.DOCUMENT_PATIENT_ID, patient, "XDSDocumentEntry.patientId")
        + identifier(
            own_id, names.DOCUMENT_UNIQUE_ID, unique_id or new_uid(), "XDSDocumentEntry.uniqueId"
        )
        + "</q:ExtrinsicObject>"
    )


def xds_stable() -> str:
    return "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"


def submission_set(
    patient: str, own_id: str = "SubmissionSet01", *, unique_id: str = "", more: str = ""
) -> str:
    return (
        f'<q:RegistryPackage id="{own_id}">{slot("submissionTime", "20041225235050")}{more}'
        '<q:Name><q:LocalizedString value="Physical"/></q:Name>'
        '<q:Description><q:LocalizedString value="Annual physical"/></q:Description>'
        + author(own_id, names.SUBMISSION_AUTHOR)
        + code(own_id, names.CONTENT_TYPE_CODE, "225728007", SNOMED)
        + identifier(
            own_id, names.SUBMISSION_UNIQUE_ID, unique_id or new_uid(), "XDSSubmissionSet.uniqueId"
        )
        + identifier(
            own_id, names.SOURCE_ID, "1.3.6.1.4.1.21367.2008.1", "XDSSubmissionSet.sourceId"
        )
        + identifier(own_id, names.SUBMISSION_PATIENT_ID, patient, "XDSSubmissionSet.patientId")
        + f"</q:RegistryPackage>{node_of(own_id, names.SUBMISSION_SET)}"
    )


def folder(patient: str, own_id: str = "Folder", *, unique_id: str = "") -> str:
    return (
        f'<q:RegistryPackage id="{own_id}">{slot("lastUpdateTime", "20051224000000")}'
        '<q:Name><q:LocalizedString value="FOLDER"/></q:Name>'
        + code(own_id, names.FOLDER_CODE, "Referrals", "1.2.3.4")
        + identifier(own_id, names.FOLDER_UNIQUE_ID, unique_id or new_uid(), "XDSFolder.uniqueId")
        + identifier(own_id, names.FOLDER_PATIENT_ID, patient, "XDSFolder.patientId")
        + f"</q:RegistryPackage>{node_of(own_id, names.FOLDER)}"
    )


def node_of(own_id: str, node: str) -> str:
    return (
        f'<q:Classification id="n{uuid4().hex}" classifiedObject="{own_id}" '
        f'classificationNode="{node}"/>'
    )


def link(kind: str, source: str, target: str, inside: str = "", own_id: str = "") -> str:
    return (
        f'<q:Association id="{own_id or "a" + uuid4().hex}" associationType="{kind}" '
        f'sourceObject="{source}" targetObject="{target}">{inside}</q:Association>'
    )


def member(target: str, status: str = "Original", own_id: str = "") -> str:
    """Return a HasMember from the submission set; `status` empty for what is no document."""
    inside = slot("SubmissionSetStatus", status) if status else ""
    return link(HAS_MEMBER, "SubmissionSet01", target, inside, own_id)


def request(*parts: str) -> Element:
    """Return the lcm:SubmitObjectsRequest around registry objects."""
    return etree.fromstring(
        f'<l:SubmitObjectsRequest xmlns:l="{names.LCM}" xmlns:q="{names.RIM}">'
        f"<q:RegistryObjectList>{''.join(parts)}</q:RegistryObjectList></l:SubmitObjectsRequest>"
    )


def one_document(patient: str, **more: object) -> Element:
    """Return a submission of one document."""
    return request(
        document(patient, **more),  # type: ignore[arg-type]
        submission_set(patient), member("Document01"),
    )  # fmt: skip


def text(element: Element) -> str:
    return etree.tostring(element, encoding="unicode")


def register(client: SoapClient, submit: Element) -> Answer:
    """Send ITI-42."""
    return client.call("/xds/registry", ITI42, text(submit))


def provide(client: SoapClient, submit: Element, contents: Mapping[str, bytes]) -> Answer:
    """Send ITI-41 with documents by the ids of their ExtrinsicObjects."""
    parts = {f"{uuid4()}@elsewhere": (own_id, octets) for own_id, octets in contents.items()}
    documents = "".join(
        f'<xds:Document id="{own_id}"><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include"'
        f' href="cid:{cid}"/></xds:Document>'
        for cid, (own_id, _) in parts.items()
    )
    body = (
        f'<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="{names.XDSB}">{text(submit)}'
        f"{documents}</xds:ProvideAndRegisterDocumentSetRequest>"
    )
    octets = {cid: content for cid, (_, content) in parts.items()}
    return client.call("/xds/repository", xds.ITI41, body, octets, mtom=True)


def query(
    client: SoapClient, query_id: str, parameters: Iterable[tuple[str, str]] | Mapping[str, str],
    *, leaf: bool = True, action: str = xds.ITI18, several: bool = False,
) -> Answer:  # fmt: skip
    """Send ITI-18 or ITI-51; with `several` a value is cut at `;` into Value elements."""
    pairs = parameters.items() if isinstance(parameters, Mapping) else parameters
    slots = "".join(
        slot(name, *(value.split(";") if several else [value])) for name, value in pairs
    )
    return client.call(
        "/xds/registry", action,
        f'<query:AdhocQueryRequest xmlns:query="{names.QUERY}" xmlns:q="{names.RIM}">'
        f'<query:ResponseOption returnComposedObjects="true" '
        f'returnType="{"LeafClass" if leaf else "ObjectRef"}"/>'
        f'<q:AdhocQuery id="{query_id}">{slots}</q:AdhocQuery></query:AdhocQueryRequest>',
    )  # fmt: skip


def documents_of(client: SoapClient, patient: str, status: str = "Approved") -> list[Element]:
    """Return the documents of a patient with a status."""
    answer = query(client, xds.FIND_DOCUMENTS, {
        "$XDSDocumentEntryPatientId": f"'{patient}'",
        "$XDSDocumentEntryStatus": f"('{names.STATUS}{status}')",
    })  # fmt: skip
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return xds.objects(answer)


def post(base: str, path: str, octets: bytes, headers: Mapping[str, str]) -> Answer:
    """Send exactly these octets and headers."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)
    connection.request("POST", path, octets, dict(headers))
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return _decode(answer.status, answer.getheader("Content-Type", ""), said, "")


def spoiled(submit: Element, change: Callable[[Element], None]) -> Element:
    """Return a copy with something changed."""
    changed = copy.deepcopy(submit)
    change(changed)
    return changed


def find(submit: Element, tag: str, **attributes: str) -> Element:
    """Return the one element with this local name and these attributes."""
    tests = "".join(f"[@{name}='{value}']" for name, value in attributes.items())
    found = submit.find(f".//{{{names.RIM}}}{tag}{tests}")
    assert found is not None, (tag, attributes)
    return found


def drop(element: Element) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def double(element: Element) -> None:
    twin = copy.deepcopy(element)
    if "id" in twin.attrib:
        twin.set("id", f"twin{uuid4().hex}")
    element.addnext(twin)


def set_values(element: Element, *values: str) -> None:
    """Replace the values of a slot."""
    listed = element[0]
    for child in list(listed):
        listed.remove(child)
    for value in values:
        etree.SubElement(listed, f"{{{names.RIM}}}Value").text = value


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
