"""Section 2: one case a rule for each attribute: missing, twice, malformed, too long.

ITI TF-3 4.2.3. Each starts from another product's good message and spoils one thing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.xds import names
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import Element, double, drop, find, set_values
from tests.support.soap import SoapClient
from tests.support.xds_node import Node

Change = Callable[[Element], None]
D, S, F = "ExtrinsicObject", "SubmissionSet01", "Folder"
LONG = "x" * 257


def slot_(name: str, *values: str) -> Change:
    return lambda e: set_values(find(e, "Slot", name=name), *values)


def no_slot(name: str) -> Change:
    return lambda e: drop(find(e, "Slot", name=name))


def two_slots(name: str) -> Change:
    return lambda e: double(find(e, "Slot", name=name))


def code_(scheme: str, **attributes: str) -> Change:
    return lambda e: find(e, "Classification", classificationScheme=scheme).attrib.update(
        attributes
    )


def no_code(scheme: str) -> Change:
    return lambda e: drop(find(e, "Classification", classificationScheme=scheme))


def two_codes(scheme: str) -> Change:
    return lambda e: double(find(e, "Classification", classificationScheme=scheme))


def id_(scheme: str, value: str) -> Change:
    return lambda e: find(e, "ExternalIdentifier", identificationScheme=scheme).set("value", value)


def no_id(scheme: str) -> Change:
    return lambda e: drop(find(e, "ExternalIdentifier", identificationScheme=scheme))


def two_ids(scheme: str) -> Change:
    return lambda e: double(find(e, "ExternalIdentifier", identificationScheme=scheme))


def attribute(tag: str, name: str, value: str | None) -> Change:
    def change(e: Element) -> None:
        element = find(e, tag)
        element.attrib.pop(name, None)
        if value is not None:
            element.set(name, value)

    return change


def title(own_id: str, value: str) -> Change:
    tag = D if own_id == "Document01" else "RegistryPackage"
    return lambda e: find(find(e, tag, id=own_id), "LocalizedString").set("value", value)


def add_slot(own_id: str, name: str, *values: str) -> Change:
    def change(e: Element) -> None:
        owner = next(x for x in e.iter() if x.get("id") == own_id)
        fresh = foreign.request(f'<q:ObjectRef id="x">{foreign.slot(name, *values)}</q:ObjectRef>')
        owner.insert(0, find(fresh, "Slot"))

    return change


def author_slot(name: str, *values: str) -> Change:
    def change(e: Element) -> None:
        owner = find(e, "Classification", classificationScheme=names.DOCUMENT_AUTHOR)
        for child in list(owner):
            owner.remove(child)
        fresh = foreign.request(f'<q:ObjectRef id="x">{foreign.slot(name, *values)}</q:ObjectRef>')
        owner.append(find(fresh, "Slot"))

    return change


def node_for(own_id: str, node: str) -> Change:
    def change(e: Element) -> None:
        fresh = foreign.request(foreign.node_of(own_id, node))
        e[0].append(find(fresh, "Classification"))

    return change


def scheme_slot(scheme: str, *values: str) -> Change:
    def change(e: Element) -> None:
        coded = find(e, "Classification", classificationScheme=scheme)
        set_values(find(coded, "Slot", name="codingScheme"), *values)

    return change


def no_scheme(scheme: str) -> Change:
    return lambda e: drop(find(find(e, "Classification", classificationScheme=scheme), "Slot"))


REQUIRED_CODES = {
    "classCode": names.CLASS_CODE,
    "confidentialityCode": names.CONFIDENTIALITY_CODE,
    "formatCode": names.FORMAT_CODE,
    "healthcareFacilityTypeCode": names.FACILITY_CODE,
    "practiceSettingCode": names.PRACTICE_CODE,
    "typeCode": names.TYPE_CODE,
    "contentTypeCode": names.CONTENT_TYPE_CODE,
    "codeList": names.FOLDER_CODE,
}
ONCE = [n for n in REQUIRED_CODES if n not in {"confidentialityCode", "codeList"}]
REQUIRED_SLOTS = ["creationTime", "languageCode", "sourcePatientId", "hash", "size",
                  "repositoryUniqueId", "submissionTime"]  # fmt: skip
IDENTIFIERS = {
    "DocumentEntry.patientId": names.DOCUMENT_PATIENT_ID,
    "DocumentEntry.uniqueId": names.DOCUMENT_UNIQUE_ID,
    "SubmissionSet.patientId": names.SUBMISSION_PATIENT_ID,
    "SubmissionSet.uniqueId": names.SUBMISSION_UNIQUE_ID,
    "SubmissionSet.sourceId": names.SOURCE_ID,
    "Folder.patientId": names.FOLDER_PATIENT_ID,
    "Folder.uniqueId": names.FOLDER_UNIQUE_ID,
}

RULES: dict[str, tuple[Change, str]] = {
    # what is missing (T:11998a has nine of them)
    **{f"no {name}": (no_code(scheme), name) for name, scheme in REQUIRED_CODES.items()},
    **{f"no {name}": (no_slot(name), name) for name in REQUIRED_SLOTS},
    **{f"no {name}": (no_id(scheme), name.partition(".")[2]) for name, scheme in IDENTIFIERS.items()},
    "no mimeType": (attribute(D, "mimeType", None), "mimeType"),
    "no folder title": (title("Folder", ""), "title"),
    "no SubmissionSetStatus": (no_slot("SubmissionSetStatus"), "SubmissionSetStatus"),
    # what is there twice
    **{f"two {name}": (two_codes(REQUIRED_CODES[name]), name) for name in ONCE},
    **{f"two {name}": (two_slots(name), name) for name in [*REQUIRED_SLOTS, "sourcePatientInfo",
       "serviceStartTime", "SubmissionSetStatus"]},
    **{f"two {name}": (two_ids(scheme), "ExternalIdentifier") for name, scheme in IDENTIFIERS.items()},
    **{f"two values of {name}": (slot_(name, "20200101", "20200102"), name)
       for name in ["creationTime", "languageCode", "serviceStopTime", "hash"]},
    # codes
    **{f"{name} unknown": (code_(scheme, nodeRepresentation="NO-SUCH-CODE"), name)
       for name, scheme in REQUIRED_CODES.items() if name != "codeList"},
    **{f"{name} of another scheme": (scheme_slot(scheme, "9.8.7"), name)
       for name, scheme in REQUIRED_CODES.items() if name != "codeList"},
    **{f"{name} without a scheme": (no_scheme(scheme), name) for name, scheme in REQUIRED_CODES.items()},
    **{f"{name} without a code": (code_(scheme, nodeRepresentation=""), name)
       for name, scheme in REQUIRED_CODES.items()},
    "a code with two schemes": (scheme_slot(names.CLASS_CODE, "1.2", "1.3"), "codingScheme"),
    "a code of another object": (code_(names.CLASS_CODE, classifiedObject="SubmissionSet01"), "Classification"),
    "a code of nobody": (code_(names.CLASS_CODE, classifiedObject="nobody"), "Classification"),
    "an unknown classification": (code_(names.CLASS_CODE, classificationScheme="urn:uuid:x"), "Classification"),
    # data types
    "creationTime with dashes": (slot_("creationTime", "2005-12-24"), "creationTime"),
    "creationTime with a zone": (slot_("creationTime", "20051224120000+0100"), "creationTime"),
    "creationTime with a fraction": (slot_("creationTime", "20051224120000.5"), "creationTime"),
    "creationTime of no month": (slot_("creationTime", "20051324"), "creationTime"),
    "creationTime half given": (slot_("creationTime", "200512241"), "creationTime"),
    "submissionTime malformed": (slot_("submissionTime", "now"), "submissionTime"),
    "service stops before it starts": (slot_("serviceStopTime", "200512220000"), "serviceStopTime"),
    "languageCode malformed": (slot_("languageCode", "en_US"), "languageCode"),
    "hash too short": (slot_("hash", "abc"), "hash"),
    "hash of other letters": (slot_("hash", "z" * 40), "hash"),
    "size negative": (slot_("size", "-4"), "size"),
    "size no number": (slot_("size", "four"), "size"),
    "repositoryUniqueId no OID": (slot_("repositoryUniqueId", "repository"), "repositoryUniqueId"),
    "sourcePatientId without authority": (slot_("sourcePatientId", "89a"), "sourcePatientId"),
    "sourcePatientId without an OID": (slot_("sourcePatientId", "89a^^^&A&ISO"), "sourcePatientId"),
    "sourcePatientId without an id": (slot_("sourcePatientId", "^^^&1.2.3&ISO"), "sourcePatientId"),
    "sourcePatientId with a namespace": (slot_("sourcePatientId", "89a^^^H&1.2&ISO"), "sourcePatientId"),
    "sourcePatientInfo without field": (slot_("sourcePatientInfo", "Doe^Jo"), "sourcePatientInfo"),
    **{f"sourcePatientInfo PID-{n}": (slot_("sourcePatientInfo", f"PID-{n}|x"), "sourcePatientInfo")
       for n in (2, 4, 12, 19, 40)},
    "patientId without authority": (id_(names.DOCUMENT_PATIENT_ID, "P1"), "patientId"),
    "patientId with a name for authority": (id_(names.DOCUMENT_PATIENT_ID, "P1^^^HOSP"), "patientId"),
    "patientId not ISO": (id_(names.DOCUMENT_PATIENT_ID, "P1^^^&1.2.3&DNS"), "patientId"),
    "uniqueId with a blank": (id_(names.DOCUMENT_UNIQUE_ID, "1.2 3"), "uniqueId"),
    "uniqueId too long": (id_(names.DOCUMENT_UNIQUE_ID, "1." * 64 + "1"), "uniqueId"),
    "uniqueId not ASCII": (id_(names.DOCUMENT_UNIQUE_ID, "编号"), "uniqueId"),
    "submission set uniqueId no OID": (id_(names.SUBMISSION_UNIQUE_ID, "set-1"), "uniqueId"),
    "submission set uniqueId too long": (id_(names.SUBMISSION_UNIQUE_ID, "1." * 33 + "1"), "uniqueId"),
    "sourceId no OID": (id_(names.SOURCE_ID, "here"), "sourceId"),
    "folder uniqueId no OID": (id_(names.FOLDER_UNIQUE_ID, "folder"), "uniqueId"),
    "mimeType malformed": (attribute(D, "mimeType", "text"), "mimeType"),
    "objectType unknown": (attribute(D, "objectType", "urn:uuid:00000000-0000-0000-0000-000000000001"), "objectType"),
    "objectType on-demand": (attribute(D, "objectType", "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248"), "objectType"),
    "documentAvailability unknown": (add_slot("Document01", "documentAvailability", "Online"), "documentAvailability"),
    "referenceIdList without type": (add_slot("Document01", names.REFERENCE_ID_LIST, "A1^^^&1.2&ISO"), "referenceIdList"),
    "referenceIdList without id": (add_slot("Document01", names.REFERENCE_ID_LIST, "^^^&1.2&ISO^urn:x"), "referenceIdList"),
    "legalAuthenticator without a name": (add_slot("Document01", "legalAuthenticator", "^^^^^"), "legalAuthenticator"),
    "two legalAuthenticators": (add_slot("Document01", "legalAuthenticator", "^A^B", "^C^D"), "legalAuthenticator"),
    "two URIs": (add_slot("Document01", "URI", "a", "b"), "URI"),
    "author with roles only": (author_slot("authorRole", "Attending"), "author"),
    "author of two persons": (author_slot("authorPerson", "^A^B", "^C^D"), "authorPerson"),
    "author without a name": (author_slot("authorPerson", "^^^"), "authorPerson"),
    "authorInstitution without a name": (author_slot("authorInstitution", "^^^^^&1.2&ISO^^^^7"), "authorInstitution"),
    "author with a strange slot": (author_slot("authorShoe", "44"), "author"),
    "intendedRecipient empty": (add_slot(S, "intendedRecipient", "||"), "intendedRecipient"),
    "intendedRecipient of four": (add_slot(S, "intendedRecipient", "a|^b|c|d"), "intendedRecipient"),
    # length
    "title too long": (title("Document01", "t" * 129), "title"),
    "comments too long": (lambda e: find(find(e, "RegistryPackage", id=S), "Description")[0].set("value", LONG), ""),
    "a slot value too long": (slot_("languageCode", LONG), ""),
    "a code too long": (code_(names.TYPE_CODE, nodeRepresentation=LONG), ""),
    # slots
    "a slot without a value": (slot_("languageCode"), "languageCode"),
    "a slot with an empty value": (slot_("languageCode", " "), "languageCode"),
    "a strange slot": (add_slot("Document01", "shoeSize", "44"), "shoeSize"),
    "a strange slot of the set": (add_slot(S, "shoeSize", "44"), "shoeSize"),
    "a strange slot of the folder": (add_slot(F, "shoeSize", "44"), "shoeSize"),
    "one slot name twice": (add_slot("Document01", "creationTime", "2001"), "creationTime"),
    # limited metadata, kinds of package
    **{f"limited metadata {n[9:13]}": (node_for(own, n), "limitedMetadata")
       for own, n in zip(("Document01", S, F), sorted(names.LIMITED_METADATA), strict=True)},
    "a package that is both": (node_for(S, names.FOLDER), "Classification"),
    "a package that is neither": (lambda e: drop(find(e, "Classification", classificationNode=names.FOLDER)), "Classification"),
    "a node of nobody": (node_for("nobody", names.FOLDER), "Classification"),
    "no submission set": (lambda e: drop(find(e, "Classification", classificationNode=names.SUBMISSION_SET)), "Classification"),
    # associations
    "an unknown association": (attribute("Association", "associationType", "urn:x"), "associationType"),
    "a foreign association": (attribute("Association", "associationType", "urn:elga-bes:AssociationType:NonVersioningUpdate"), "associationType"),
    "an association with itself": (attribute("Association", "targetObject", S), "sourceObject"),
    "SubmissionSetStatus of another": (slot_("SubmissionSetStatus", "Reference"), "SubmissionSetStatus"),
    "SubmissionSetStatus unknown": (slot_("SubmissionSetStatus", "Copy"), "SubmissionSetStatus"),
    # ids
    "one id twice": (attribute(D, "id", S), "id"),
    "an id that is no UUID": (attribute(D, "id", "urn:uuid:Document01"), "id"),
    "lid of another": (attribute(D, "lid", "urn:uuid:5b2c1f00-0000-4000-8000-000000000001"), "logicalID"),
}  # fmt: skip


def good(patient: str) -> Element:
    return foreign.request(
        foreign.document(patient),
        foreign.submission_set(patient),
        foreign.member("Document01"),
        foreign.folder(patient),
        foreign.member("Folder", ""),
    )


def test_2_the_message_all_rules_start_from_is_good(client: SoapClient, patient: str) -> None:
    answer = foreign.register(client, good(patient))
    assert xds.status(answer) == xds.SUCCESS, answer.text()


@pytest.mark.tender("R-6.2.6.2")
@pytest.mark.parametrize("rule", RULES)
def test_2_a_broken_rule_is_told_with_its_attribute(
    node: Node, client: SoapClient, patient: str, rule: str
) -> None:
    change, told = RULES[rule]
    head = node.place.facts.head()
    answer = foreign.register(client, foreign.spoiled(good(patient), change))
    assert answer.http_status == 200
    assert xds.errors(answer) == ["XDSRegistryMetadataError"], answer.text()
    (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert told in error.get("codeContext", "")
    assert patient.partition("^")[0] not in answer.text()
    assert node.place.facts.head() == head


ACCEPTED: dict[str, Change] = {
    "hash in capitals": slot_("hash", foreign.HASH.upper()),
    "hash shorter than SHA-1": slot_("hash", "20181126"),
    "an address for sourceId": id_(names.SOURCE_ID, "129.6.58.92.1.1"),
    "an OID of no known root": slot_("sourcePatientId", "89a^^^&3.4.5&ISO"),
    "a repository of no known root": slot_("repositoryUniqueId", "192.168.0.1"),
    "any mimeType": attribute(D, "mimeType", "text/goofy"),
    "no objectType": attribute(D, "objectType", None),
    "no optional times": no_slot("serviceStopTime"),
    "no sourcePatientInfo": no_slot("sourcePatientInfo"),
    "no author": no_code(names.DOCUMENT_AUTHOR),
    "several authors": two_codes(names.DOCUMENT_AUTHOR),
    "several confidentiality codes": two_codes(names.CONFIDENTIALITY_CODE),
    "several folder codes": two_codes(names.FOLDER_CODE),
    "status said": attribute(D, "status", f"{names.STATUS}Deprecated"),
    "home said": attribute(D, "home", "urn:oid:1.2.3"),
    "lid as id": attribute(D, "lid", "Document01"),
    "reference ids": add_slot("Document01", names.REFERENCE_ID_LIST,
        "A1^^^&1.2&ISO^urn:ihe:iti:xds:2013:accession", "1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID"),
    "recipients": add_slot(S, "intendedRecipient", "Clinic^^^^^^^^^1.2|^Wel^Mar", "|^Wren^Ann", "||^^Internet^a@b"),
    "extra metadata": add_slot("Document01", "urn:example:extra", "one", "two"),
    "a title of 128": title("Document01", "字" * 128),
    "a time of a year": slot_("creationTime", "2005"),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_2_what_the_rules_allow_is_accepted(client: SoapClient, patient: str, case: str) -> None:
    answer = foreign.register(client, foreign.spoiled(good(patient), ACCEPTED[case]))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    (found,) = foreign.documents_of(client, patient)
    assert found.get("status") == xds.APPROVED
    assert found.get("home") is None


def test_2_1_ids_and_versions_are_the_registrys(client: SoapClient, patient: str) -> None:
    foreign.register(client, good(patient))
    (found,) = foreign.documents_of(client, patient)
    assert found.get("id", "").startswith("urn:uuid:")
    assert found.get("lid") == found.get("id")
    version: Any = found.find("rim:VersionInfo", xds.NAMES)
    assert version.get("versionName") == "1"


def test_2_3_the_registry_sets_last_update_time(client: SoapClient, patient: str) -> None:
    foreign.register(client, good(patient))
    answer = foreign.query(client, "urn:uuid:958f3006-baad-4929-a4de-ff1114824431", {
        "$XDSFolderPatientId": f"'{patient}'", "$XDSFolderStatus": f"'{xds.APPROVED}'",
    })  # fmt: skip
    (folder,) = xds.objects(answer)
    assert xds.slot(folder, "lastUpdateTime") > ["20260101"]


def test_2_6_extra_metadata_are_kept_on_every_object(client: SoapClient, patient: str) -> None:
    extra = foreign.slot("urn:example:extra", "kept")
    submit = foreign.request(
        foreign.document(patient, more=extra),
        foreign.submission_set(patient, more=extra),
        foreign.link(
            foreign.HAS_MEMBER,
            S,
            "Document01",
            foreign.slot("SubmissionSetStatus", "Original") + extra,
        ),
    )
    answer = foreign.register(client, submit)
    assert (xds.status(answer), xds.errors(answer)) == (xds.SUCCESS, [])
    (found,) = foreign.documents_of(client, patient)
    sets = foreign.query(client, "urn:uuid:51224314-5390-4169-9b91-b1980040715a",
                         {"$uuid": f"('{found.get('id')}')"})  # fmt: skip
    kept = [xds.slot(thing, "urn:example:extra") for thing in [found, *xds.objects(sets)]]
    assert kept == [["kept"]] * 3
