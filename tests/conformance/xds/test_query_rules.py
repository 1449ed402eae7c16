"""Section 6: Q1 to Q6, ITI-51 and FindDocumentsExclude, asked as another product asks.

ITI TF-2 3.18.4.1.2.3, 3.51. Each test bears the row it proves; the queries themselves are told in
`test_stored_queries.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest

from adapters.xds import names
from adapters.xds.validation import validate
from kernel.identifiers import new_uid
from registry.documents.values import ON_DEMAND, STABLE
from tests.support import foreign_xds as foreign
from tests.support import xds
from tests.support.foreign_xds import CONFIDENTIALITY, IHE, ITI51
from tests.support.soap import Answer, SoapClient
from tests.support.submissions import AUTHORITY
from tests.support.xds_node import MAX_RESULTS, Node

GET_ALL = "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3"
GET_DOCUMENTS = "urn:uuid:5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
GET_RELATED = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"
EXCLUDE = "urn:uuid:4308b1df-36de-4bef-8e2e-ba91f593c435"
MPQ_DOCUMENTS = "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f"
MPQ_FOLDERS = "urn:uuid:50d3f5ac-39a2-11de-a1ca-b366239e58df"
MPQ_REFERENCES = "urn:uuid:1191642d-86c4-42d8-b784-f95445f9f0d5"
E, F = "$XDSDocumentEntry", "$XDSFolder"
POLICY = "1.3.6.1.4.1.21367.2017.3"
DEPRECATED = f"{names.STATUS}Deprecated"
BOTH_TYPES = f"('{STABLE}','{ON_DEMAND}')"
EVERY = (f"{E}Status", f"('{xds.APPROVED}','{DEPRECATED}')")


@dataclass
class Shelf:
    """Two documents of one patient and one of another, with codes nobody else has."""

    patient: str
    other: str
    event: str
    """An event code of all three documents."""
    first: str
    second: str
    third: str
    folder_code: str

    def names(self, answer: Answer) -> list[str]:
        """Return which documents an answer holds."""
        assert xds.status(answer) == xds.SUCCESS, answer.text()
        known = {self.first: "first", self.second: "second", self.third: "third"}
        return sorted(known[o.get("id", "")] for o in xds.objects(answer))


def put(client: SoapClient, patient: str, **more: object) -> str:
    own_id = f"urn:uuid:{uuid4()}"
    submit = foreign.request(
        foreign.document(patient, own_id, **more),  # type: ignore[arg-type]
        foreign.submission_set(patient), foreign.member(own_id),
    )  # fmt: skip
    answer = foreign.register(client, submit)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return own_id


@pytest.fixture
def shelf(node: Node, client: SoapClient, patient: str) -> Shelf:
    other, event, folder_code = (
        f"O{uuid4().hex[:12]}^^^&{AUTHORITY}&ISO", f"E{uuid4().hex}", f"F{uuid4().hex}"
    )  # fmt: skip
    node.identify(other)
    shared = (event, POLICY)
    first = put(client, patient, events=[shared, ("deny", POLICY)],
                slots={"creationTime": "20051224", "documentAvailability":
                       "urn:ihe:iti:2010:DocumentAvailability:Online"},
                more=foreign.slot(names.REFERENCE_ID_LIST, f"{event}^^^&1.2&ISO^urn:x:y"))  # fmt: skip
    second = put(client, patient, events=[shared], slots={"creationTime": "20061224083000"},
                 codes={names.CONFIDENTIALITY_CODE: ("R", CONFIDENTIALITY),
                        names.TYPE_CODE: ("34133-9", foreign.LOINC),
                        names.CLASS_CODE: ("SUMMARY", "1.3.6.1.4.1.19376.1.2.6.1")})  # fmt: skip
    third = put(client, other, events=[shared])
    for owner in (patient, other):
        folder = foreign.request(
            foreign.submission_set(owner), foreign.folder(owner), foreign.member("Folder", "")
        )
        foreign.find(folder, "Classification", nodeRepresentation="Referrals").set(
            "nodeRepresentation", folder_code
        )
        assert xds.errors(foreign.register(client, folder)) == []
    return Shelf(patient, other, event, first, second, third, folder_code)


def find(client: SoapClient, shelf: Shelf, *more: tuple[str, str], **how: object) -> Answer:
    asked = [(f"{E}PatientId", f"'{shelf.patient}'"), EVERY, *more]
    return foreign.query(client, xds.FIND_DOCUMENTS, asked, **how)  # type: ignore[arg-type]


def test_q1_leaves_are_of_one_patient_and_references_of_any(
    client: SoapClient, shelf: Shelf
) -> None:
    # T:12368.
    both = [(f"{E}EntryUUID", f"('{shelf.first}','{shelf.third}')")]
    answer = foreign.query(client, GET_DOCUMENTS, both)
    assert xds.errors(answer) == ["XDSResultNotSinglePatient"]
    assert xds.objects(answer) == []
    assert shelf.names(foreign.query(client, GET_DOCUMENTS, both, leaf=False)) == ["first", "third"]


def test_q2_what_is_no_status_counts_as_none(client: SoapClient, shelf: Shelf) -> None:
    # T:11897 status_invalid.
    answer = foreign.query(client, xds.FIND_DOCUMENTS, {
        f"{E}PatientId": f"'{shelf.patient}'", f"{E}Status": f"('{names.STATUS}InvalidParameter')",
    })  # fmt: skip
    assert xds.errors(answer) == ["XDSStoredQueryMissingParam"]
    # A status that is not understood beside one that is narrows nothing (ITI TF-2 3.18.4.1.2.3.6).
    found = [
        xds.objects(foreign.query(client, xds.FIND_DOCUMENTS, {
            f"{E}PatientId": f"'{shelf.patient}'", f"{E}Status": f"({statuses})",
        }))
        for statuses in (f"'{xds.APPROVED}'", f"'{xds.APPROVED}','{names.STATUS}Submitted'")
    ]  # fmt: skip
    assert len(found[0]) == len(found[1]) > 0


def test_q2_too_many_leaves_and_the_way_out(client: SoapClient, patient: str) -> None:
    many = [f"D{n}" for n in range(MAX_RESULTS + 1)]
    submit = foreign.request(
        foreign.submission_set(patient),
        *(foreign.document(patient, own_id) for own_id in many),
        *map(foreign.member, many),
    )
    assert xds.errors(foreign.register(client, submit)) == []
    asked = [(f"{E}PatientId", f"'{patient}'"), EVERY]
    answer = foreign.query(client, xds.FIND_DOCUMENTS, asked)
    assert (xds.errors(answer), xds.objects(answer)) == (["XDSTooManyResults"], [])
    (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
    assert "ObjectRef" in error.get("codeContext", "")
    references = foreign.query(client, xds.FIND_DOCUMENTS, asked, leaf=False)
    assert len(xds.objects(references)) == MAX_RESULTS + 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (f"{E}PracticeSettingCodeScheme", "('Connect-a-thon practiceSettingCodes')"),
        (f"{E}HealthcareFacilityTypeCodeScheme", "('x','y')"),
        ("$homeCommunityId", "'urn:oid:1.2.3'"),
        ("$vendorOwn", "not quoted at all"),
        (f"{F}Status", "(broken"),
        (f"{E}Titel", "()"),
    ],
)
def test_q2_parameters_a_query_does_not_know_are_passed_over(
    client: SoapClient, shelf: Shelf, name: str, value: str
) -> None:
    assert shelf.names(find(client, shelf, (name, value))) == ["first", "second"]


@pytest.mark.parametrize(
    "value", ["('REPORTS')", "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1','a^^')", "('^^1.2')"]
)
def test_q2_a_code_without_its_scheme(client: SoapClient, shelf: Shelf, value: str) -> None:
    # T:11897 classcode_scheme_mismatch, old_scheme.
    answer = find(client, shelf, (f"{E}ClassCode", value))
    assert (xds.status(answer), xds.objects(answer)) == (names.FAILURE, [])


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CreationTimeFrom", "20051224", ["first", "second"]),
        ("CreationTimeFrom", "'20051224'", ["first", "second"]),
        ("CreationTimeFrom", "20051225", ["second"]),
        ("CreationTimeTo", "20051224", []),
        ("CreationTimeTo", "20051224000001", ["first"]),
        ("CreationTimeTo", "2006", ["first"]),
        ("CreationTimeFrom", " 2006 ", ["second"]),
        ("ServiceStartTimeFrom", "200512230800", ["first", "second"]),
        ("ServiceStartTimeTo", "200512230800", []),
        ("ServiceStopTimeTo", "200512230802", ["first", "second"]),
        ("AuthorPerson", "('%Wren%')", ["first", "second"]),
        ("AuthorPerson", "('^Wr_n%','%Nobody%')", ["first", "second"]),
        ("AuthorPerson", "('%wren%')", []),
        ("AuthorPerson", "('Wren')", []),
        ("DocumentAvailability", "('urn:ihe:iti:2010:DocumentAvailability:Offline')", []),
        ("Type", BOTH_TYPES, ["first", "second"]),
        ("Type", "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')", []),
        ("TypeCode", "('34133-9^^2.16.840.1.113883.6.1')", ["second"]),
        ("ConfidentialityCode", f"( 'R^^{CONFIDENTIALITY}' ,\n 'V^^{CONFIDENTIALITY}' )", ["second"]),
        ("PatientId ", "'ignored for its blank is none of ours'", ["first", "second"]),
    ],
)  # fmt: skip
def test_q2_values(
    client: SoapClient, shelf: Shelf, name: str, value: str, told: list[str]
) -> None:
    if name.endswith(" "):  # a blank around a name is no other name: it is then given twice
        answer = find(client, shelf, (f"{E}{name}", value))
        assert xds.errors(answer) == ["XDSStoredQueryParamNumber"]
    else:
        assert shelf.names(find(client, shelf, (f"{E}{name}", value))) == told


def test_q2_one_slot_is_or_and_two_slots_are_and(client: SoapClient, shelf: Shelf) -> None:
    # T:11897 and, T:11901 uuid_multiple_slot_values.
    name, shared, own = f"{E}EventCodeList", f"'{shelf.event}^^{POLICY}'", f"'deny^^{POLICY}'"
    assert shelf.names(find(client, shelf, (name, f"({shared},{own})"))) == ["first", "second"]
    assert shelf.names(find(client, shelf, (name, f"({shared})"), (name, f"({own})"))) == ["first"]
    several = foreign.query(client, GET_DOCUMENTS, {
        f"{E}EntryUUID": f"('{shelf.first}');('{shelf.second}')"}, several=True)  # fmt: skip
    assert shelf.names(several) == ["first", "second"]


@pytest.mark.parametrize("name", ["ClassCode", "TypeCode", "FormatCode", "PracticeSettingCode",
                                  "HealthcareFacilityTypeCode", "AuthorPerson", "Type"])  # fmt: skip
def test_q2_only_four_parameters_may_be_repeated(
    client: SoapClient, shelf: Shelf, name: str
) -> None:
    value = "('a^^b')"
    answer = find(client, shelf, (f"{E}{name}", value), (f"{E}{name}", value))
    assert xds.errors(answer) == ["XDSStoredQueryParamNumber"]


def test_q2_the_patient_of_get_all_may_be_named_as_elsewhere(
    client: SoapClient, shelf: Shelf
) -> None:
    # T:15803 does.
    status = f"'{xds.APPROVED}'"
    asked = {f"{E}Status": status, "$XDSSubmissionSetStatus": status, f"{F}Status": status}
    for name in ("$patientId", f"{E}PatientId"):
        answer = foreign.query(client, GET_ALL, {name: f"'{shelf.patient}'", **asked})
        kinds = [o.tag.rpartition("}")[2] for o in xds.objects(answer)]
        assert kinds.count("ExtrinsicObject") == 2
        assert kinds.count("RegistryPackage") == 4
    assert xds.errors(foreign.query(client, GET_ALL, asked)) == ["XDSStoredQueryMissingParam"]


def test_q2_a_malformed_request_is_told_in_the_response(client: SoapClient) -> None:
    body = (
        f'<AdhocQueryRequest xmlns="{names.QUERY}"><AdhocQuery xmlns="{names.RIM}" '
        f'id="{xds.FIND_DOCUMENTS}"/></AdhocQueryRequest>'
    )
    answer = client.call("/xds/registry", xds.ITI18, body)
    assert (xds.status(answer), xds.errors(answer)) == (names.FAILURE, ["XDSRegistryError"])


def test_q3_nothing_found_is_a_success(client: SoapClient, patient: str) -> None:
    answer = foreign.query(client, xds.FIND_DOCUMENTS, {
        f"{E}PatientId": f"'{patient}'", f"{E}Status": f"('{xds.APPROVED}')"})  # fmt: skip
    assert (xds.status(answer), xds.objects(answer)) == (xds.SUCCESS, [])
    validate(answer.body, "query.xsd")
    related = foreign.query(client, GET_RELATED, {
        f"{E}UniqueId": f"'{new_uid()}'", "$AssociationTypes": f"('{IHE}RPLC')"})  # fmt: skip
    assert (xds.status(related), xds.objects(related)) == (xds.SUCCESS, [])


def test_q4_leaves_are_whole(client: SoapClient, shelf: Shelf) -> None:
    (entry,) = xds.objects(
        foreign.query(client, GET_DOCUMENTS, {f"{E}EntryUUID": f"'{shelf.first.upper()}'"})
    )
    assert entry.get("lid") == entry.get("id") == shelf.first
    assert entry.find("rim:VersionInfo", xds.NAMES) is not None
    schemes = {
        c.get("classificationScheme") for c in entry.iterfind("rim:Classification", xds.NAMES)
    }
    assert schemes == {*foreign.DOCUMENT_CODES, names.EVENT_CODE, names.DOCUMENT_AUTHOR}
    (author,) = (c for c in entry.iterfind("rim:Classification", xds.NAMES)
                 if c.get("classificationScheme") == names.DOCUMENT_AUTHOR)  # fmt: skip
    assert xds.slot(author, "authorInstitution")[1] == "South Clinic^^^^^&1.2.3&ISO^^^^77"
    for slot in ("creationTime", "hash", "size", "sourcePatientInfo", names.REFERENCE_ID_LIST):
        assert xds.slot(entry, slot)
    (edge,) = xds.objects(foreign.query(client, GET_ASSOCIATIONS, {"$uuid": f"('{shelf.first}')"}))
    assert xds.slot(edge, "SubmissionSetStatus") == ["Original"]
    assert edge.get("status") == xds.APPROVED
    assert edge.get("lid") == edge.get("id")


@pytest.mark.parametrize(("level", "fine"), [("1", True), ("'2'", True), ("2", True), ("3", False)])
def test_q5_a_level_is_one_or_two(client: SoapClient, shelf: Shelf, level: str, fine: bool) -> None:
    asked = [(f"{E}LogicalID", f"'{shelf.first}'"), ("$MetadataLevel", level)]
    answer = foreign.query(client, GET_DOCUMENTS, asked)
    if level == "1" or not fine:  # T: a logicalID is asked for by who knows of versions
        assert xds.errors(answer) == ["XDSRegistryError"]
    else:
        assert shelf.names(answer) == ["first"]


def test_q5_what_is_offline_is_shown_to_level_two(client: SoapClient, patient: str) -> None:
    offline = "urn:ihe:iti:2010:DocumentAvailability:Offline"
    put(client, patient, slots={"documentAvailability": offline})
    asked = [(f"{E}PatientId", f"'{patient}'"), EVERY]
    assert xds.objects(foreign.query(client, xds.FIND_DOCUMENTS, asked)) == []
    answer = foreign.query(client, xds.FIND_DOCUMENTS, [*asked, ("$MetadataLevel", "2")])
    assert [xds.slot(found, "documentAvailability") for found in xds.objects(answer)] == [[offline]]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ClassCodeExclude", "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')", ["second"]),
        ("TypeCodeExclude", "('34133-9^^2.16.840.1.113883.6.1')", ["first"]),
        ("FormatCodeExclude", "('urn:ihe:rad:TEXT^^1.3.6.1.4.1.19376.1.2.3')", []),
        ("PracticeSettingCodeExclude", "('394914008^^1.2')", ["first", "second"]),
        ("HealthcareFacilityTypeCodeExclude", "('264372000^^2.16.840.1.113883.6.96')", []),
        ("EventCodeListExclude", f"('deny^^{POLICY}')", ["second"]),
        ("ConfidentialityCodeExclude", f"('R^^{CONFIDENTIALITY}')", ["first"]),
        ("AuthorPersonExclude", "('%Wren%')", []),
        ("TypeExclude", "('urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248')", ["first", "second"]),
        ("TypeExclude", "('urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1')", []),
        ("ReferenceIdListExclude", "('none^^^&1.2&ISO^urn:x:y')", ["first", "second"]),
        ("ClassCode", "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')", ["first"]),
    ],
)
def test_q6x_what_is_excluded_is_not_found(
    client: SoapClient, shelf: Shelf, name: str, value: str, told: list[str]
) -> None:
    asked = [(f"{E}PatientId", f"'{shelf.patient}'"), EVERY, (f"{E}{name}", value)]
    assert shelf.names(foreign.query(client, EXCLUDE, asked)) == told


def test_q6x_nothing_is_asked_for_and_excluded(client: SoapClient, shelf: Shelf) -> None:
    asked = [(f"{E}PatientId", f"'{shelf.patient}'"), EVERY,
             (f"{E}ClassCode", "('a^^b')"), (f"{E}ClassCodeExclude", "('c^^d')")]  # fmt: skip
    answer = foreign.query(client, EXCLUDE, asked)
    assert xds.errors(answer) == ["XDSStoredQueryParamNumber"]
    answer = foreign.query(client, EXCLUDE, asked[1:2])
    assert xds.errors(answer) == ["XDSStoredQueryMissingParam"]


def several(
    client: SoapClient, query_id: str, *asked: tuple[str, str], leaf: bool = True
) -> Answer:
    return foreign.query(client, query_id, asked, action=ITI51, leaf=leaf)


@pytest.mark.tender("R-6.2.6.1")
@pytest.mark.parametrize("leaf", [True, False])
def test_mpq_documents_of_several_patients(client: SoapClient, shelf: Shelf, leaf: bool) -> None:
    # T:12364.
    event = (f"{E}EventCodeList", f"('{shelf.event}^^{POLICY}')")
    kind = (f"{E}ClassCode", "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')")
    one = (f"{E}PatientId", f"'{shelf.other}'")
    two = (f"{E}PatientId", f"('{shelf.patient}', '{shelf.other}')")
    for asked, told in (
        ([event], ["first", "second", "third"]),
        ([event, kind], ["first", "third"]),
        ([one], ["third"]),
        ([two], ["first", "second", "third"]),
        ([two, event, kind], ["first", "third"]),
    ):
        answer = several(client, MPQ_DOCUMENTS, EVERY, *asked, leaf=leaf)
        assert answer.action == f"{ITI51}Response"
        assert shelf.names(answer) == told


def test_mpq_by_reference_and_folders(client: SoapClient, shelf: Shelf) -> None:
    by = (f"{E}ReferenceIdList", f"('{shelf.event}^^^&1.2&ISO^urn:x:y')")
    assert shelf.names(several(client, MPQ_REFERENCES, EVERY, by)) == ["first"]
    status = (f"{F}Status", f"('{xds.APPROVED}')")
    code = (f"{F}CodeList", f"('{shelf.folder_code}^^1.2.3.4')")
    patients = (f"{F}PatientId", f"('{shelf.patient}','{shelf.other}')")
    for asked, count in ((code,), 2), ((patients,), 2), ((patients, code), 2):
        assert len(xds.objects(several(client, MPQ_FOLDERS, status, *asked))) == count


@pytest.mark.parametrize(
    ("query_id", "asked", "code"),
    [
        (MPQ_DOCUMENTS, [EVERY], "XDSStoredQueryMissingParam"),
        (MPQ_DOCUMENTS, [(f"{E}ClassCode", "('a^^b')")], "XDSStoredQueryMissingParam"),
        (MPQ_REFERENCES, [EVERY], "XDSStoredQueryMissingParam"),
        (MPQ_FOLDERS, [(f"{F}Status", f"'{xds.APPROVED}'")], "XDSStoredQueryMissingParam"),
        (MPQ_DOCUMENTS, [EVERY, (f"{E}PatientId", "('P1')")], "XDSRegistryError"),
        (xds.FIND_DOCUMENTS, [EVERY], "XDSUnknownStoredQuery"),
    ],
)
def test_mpq_asks_for_something_that_narrows(
    client: SoapClient, query_id: str, asked: list[tuple[str, str]], code: str
) -> None:
    answer = several(client, query_id, *asked)
    assert (xds.errors(answer), xds.objects(answer)) == ([code], [])


def test_mpq_is_not_asked_by_iti_18(client: SoapClient, patient: str) -> None:
    asked = [(f"{E}PatientId", f"'{patient}'"), EVERY]
    assert xds.errors(foreign.query(client, MPQ_DOCUMENTS, asked)) == ["XDSUnknownStoredQuery"]


def test_mpq_shows_what_the_caller_may_see(node: Node, client: SoapClient, shelf: Shelf) -> None:
    before = node.place.access.head()
    several(client, MPQ_DOCUMENTS, EVERY, (f"{E}PatientId", f"('{shelf.patient}','{shelf.other}')"))
    facts = [e.fact for e in node.place.access.read(before)]
    assert [(f.action, f.outcome, f.transaction, f.count) for f in facts] == [
        ("query", "success", "ITI-51", 3)
    ]
    assert len(facts[0].patient_keys) == 2
