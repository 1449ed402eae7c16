"""Section 2: every attribute that another product sends comes back as it was sent.

ITI TF-3 tables 4.2.3.2-1, 4.2.3.3-1 and 4.2.3.4-1, coded as 4.2.3.1 says, with prefixes, order and
symbolic ids of somebody else's.
"""

from __future__ import annotations

import pytest

from adapters.xds import names
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import Element
from tests.support.soap import SoapClient

REFERENCES = [
    f"R{number}^^^&1.2.3&ISO^{kind}"
    for number, kind in enumerate(
        [
            "urn:ihe:iti:xds:2013:uniqueId",
            "urn:ihe:iti:xds:2013:accession",
            "urn:ihe:iti:xds:2013:referral",
            "urn:ihe:iti:xds:2013:order",
            "urn:ihe:iti:xdw:2013:workflowInstanceId",
            "urn:ihe:iti:xds:2015:encounterId",
        ]
    )
] + ["1.2.3.4^^^^urn:ihe:iti:xds:2016:studyInstanceUID"]
OPTIONAL = {
    "legalAuthenticator": ["77^Wren^Ann^^^Dr^^^&1.2.3&ISO"],
    "URI": ["report one.txt"],
    "documentAvailability": ["urn:ihe:iti:2010:DocumentAvailability:Online"],
    names.REFERENCE_ID_LIST: REFERENCES,
}
SLOTS = {
    "creationTime": ["20051224"],
    "languageCode": ["en-us"],
    "serviceStartTime": ["200512230800"],
    "serviceStopTime": ["200512230801"],
    "sourcePatientId": ["89a^^^&1.3.4.5&ISO"],
    "sourcePatientInfo": ["PID-3|pid1^^^&1.2.3&ISO", "PID-5|Doe^Jo^^^", "PID-8|M"],
    "hash": [foreign.HASH],
    "size": ["4"],
    "repositoryUniqueId": ["1.19.6.24.109"],
    **OPTIONAL,
}
EVENTS = [("CT", "1.2.840.10008.2.6.1"), ("local", "1.2.3.4.5")]
GET_SETS = "urn:uuid:51224314-5390-4169-9b91-b1980040715a"
FIND_FOLDERS = "urn:uuid:958f3006-baad-4929-a4de-ff1114824431"


def sent(patient: str) -> Element:
    """Return a submission that uses every attribute."""
    more = "".join(foreign.slot(name, *values) for name, values in OPTIONAL.items())
    recipients = foreign.slot("intendedRecipient", "Clinic^^^^^^^^^1.2|^Wel^Mar|^^Internet^a@b")
    submit = foreign.request(
        foreign.document(patient, events=EVENTS, more=more),
        foreign.submission_set(patient, more=recipients), foreign.member("Document01"),
        foreign.folder(patient), foreign.member("Folder", ""),
        foreign.link(foreign.HAS_MEMBER, "Folder", "Document01", own_id="in"),
        foreign.member("in", ""),
    )  # fmt: skip
    described = foreign.find(submit, "ExtrinsicObject").find(f"{{{names.RIM}}}Description")
    assert described is not None
    described.append(foreign.find(submit, "LocalizedString").__copy__())
    described[0].set("value", "a comment, 备注")
    return submit


def codes(thing: Element, scheme: str) -> list[tuple[str, str, str]]:
    """Return (code, scheme, display) of each classification of a kind."""
    found = thing.iterfind(f"rim:Classification[@classificationScheme='{scheme}']", xds.NAMES)
    return [
        (
            one.get("nodeRepresentation", ""),
            xds.slot(one, "codingScheme")[0],
            one.find("rim:Name/rim:LocalizedString", xds.NAMES).get("value"),  # type: ignore[union-attr]
        )
        for one in found
    ]


def text(thing: Element, tag: str) -> str:
    found = thing.find(f"rim:{tag}/rim:LocalizedString", xds.NAMES)
    return "" if found is None else found.get("value", "")


def identifier(thing: Element, scheme: str) -> str:
    (found,) = thing.iterfind(
        f"rim:ExternalIdentifier[@identificationScheme='{scheme}']", xds.NAMES
    )
    return found.get("value", "")


def authors(thing: Element, scheme: str) -> list[dict[str, list[str]]]:
    kinds = ["authorPerson", "authorInstitution", "authorRole"]
    found = thing.iterfind(f"rim:Classification[@classificationScheme='{scheme}']", xds.NAMES)
    return [{kind: xds.slot(one, kind) for kind in kinds} for one in found]


AUTHOR = {
    "authorPerson": ["^Wren^Ann^^^"],
    "authorInstitution": ["North Clinic", "South Clinic^^^^^&1.2.3&ISO^^^^77"],
    "authorRole": ["Attending"],
}


@pytest.mark.tender("R-6.2.6.2")
def test_2_1_every_attribute_of_a_document_comes_back(client: SoapClient, patient: str) -> None:
    submit = sent(patient)
    assert xds.errors(foreign.register(client, submit)) == []
    (found,) = foreign.documents_of(client, patient)
    for name, values in SLOTS.items():
        assert xds.slot(found, name) == values, name
    for scheme, (code, coding_scheme) in foreign.DOCUMENT_CODES.items():
        assert codes(found, scheme) == [(code, coding_scheme, "shown")]
    assert [one[:2] for one in codes(found, names.EVENT_CODE)] == EVENTS
    assert authors(found, names.DOCUMENT_AUTHOR) == [AUTHOR]
    assert (text(found, "Name"), text(found, "Description")) == ("Physical", "a comment, 备注")
    assert found.get("mimeType") == "text/plain"
    assert identifier(found, names.DOCUMENT_PATIENT_ID) == patient
    assert identifier(found, names.DOCUMENT_UNIQUE_ID) == xds.unique_id(submit.find(
        f".//{{{names.RIM}}}ExtrinsicObject"))  # fmt: skip


@pytest.mark.tender("R-6.2.6.2")
def test_2_2_every_attribute_of_a_submission_set_comes_back(
    client: SoapClient, patient: str
) -> None:
    submit = sent(patient)
    assert xds.errors(foreign.register(client, submit)) == []
    (document,) = foreign.documents_of(client, patient)
    answer = foreign.query(client, GET_SETS, {"$uuid": f"('{document.get('id')}')"})
    (found,) = [one for one in xds.objects(answer) if one.tag.endswith("RegistryPackage")]
    asked = foreign.find(submit, "RegistryPackage", id="SubmissionSet01")
    assert xds.slot(found, "submissionTime") == ["20041225235050"]
    assert xds.slot(found, "intendedRecipient") == ["Clinic^^^^^^^^^1.2|^Wel^Mar|^^Internet^a@b"]
    assert codes(found, names.CONTENT_TYPE_CODE) == [("225728007", foreign.SNOMED, "shown")]
    assert authors(found, names.SUBMISSION_AUTHOR) == [AUTHOR]
    assert (text(found, "Name"), text(found, "Description")) == ("Physical", "Annual physical")
    for scheme in (names.SUBMISSION_PATIENT_ID, names.SUBMISSION_UNIQUE_ID, names.SOURCE_ID):
        assert identifier(found, scheme) == identifier(asked, scheme)


@pytest.mark.tender("R-6.2.6.2")
def test_2_3_every_attribute_of_a_folder_comes_back(client: SoapClient, patient: str) -> None:
    submit = sent(patient)
    assert xds.errors(foreign.register(client, submit)) == []
    answer = foreign.query(client, FIND_FOLDERS, {
        "$XDSFolderPatientId": f"'{patient}'", "$XDSFolderStatus": f"('{xds.APPROVED}')",
    })  # fmt: skip
    (found,) = xds.objects(answer)
    asked = foreign.find(submit, "RegistryPackage", id="Folder")
    assert text(found, "Name") == "FOLDER"
    assert codes(found, names.FOLDER_CODE) == [("Referrals", "1.2.3.4", "shown")]
    for scheme in (names.FOLDER_PATIENT_ID, names.FOLDER_UNIQUE_ID):
        assert identifier(found, scheme) == identifier(asked, scheme)


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda one: one.rpartition("^")[2])
def test_2_5_a_document_is_found_by_each_kind_of_reference(
    client: SoapClient, patient: str, reference: str
) -> None:
    assert xds.errors(foreign.register(client, sent(patient))) == []
    answer = foreign.query(client, xds.FIND_BY_REFERENCE, {
        "$XDSDocumentEntryPatientId": f"'{patient}'",
        "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
        "$XDSDocumentEntryReferenceIdList": f"('{reference}')",
    })  # fmt: skip
    assert len(xds.objects(answer)) == 1
