"""Each stored query with its parameters: what it finds, by table (ITI TF-2 3.18.4.1.2.3.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from lxml import etree

from adapters.xds.validation import validate
from registry.documents.values import AssociationType
from tests.conformance.xds.conftest import OTHER, Story
from tests.support import xds
from tests.support.submissions import DCM, PATIENT

URN = "urn:uuid:"
FIND_DOCUMENTS = xds.FIND_DOCUMENTS
FIND_SETS = f"{URN}f26abbcb-ac74-4422-8a30-edb644bbc1a9"
FIND_FOLDERS = f"{URN}958f3006-baad-4929-a4de-ff1114824431"
GET_ALL = f"{URN}10b545ea-725c-446d-9b95-8aeb444eddf3"
GET_DOCUMENTS = f"{URN}5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4"
GET_FOLDERS = f"{URN}5737b14c-8a1a-4539-b659-e03a34a5e1e4"
GET_ASSOCIATIONS = f"{URN}a7ae438b-4bc2-4642-93e9-be891f7bb155"
GET_DOCUMENTS_AND_ASSOCIATIONS = f"{URN}bab9529a-4a10-40b3-a01f-f68a615d247a"
GET_SETS = f"{URN}51224314-5390-4169-9b91-b1980040715a"
GET_SET_AND_CONTENTS = f"{URN}e8e3cb2c-e39c-46b9-99e4-c12f57260b83"
GET_FOLDER_AND_CONTENTS = f"{URN}b909a503-523d-4517-8acf-8e5834dfc4c7"
GET_FOLDERS_FOR_DOCUMENT = f"{URN}10cae35a-c7f9-4cf5-b61e-fc3278ffb578"
GET_RELATED = f"{URN}d90e5407-b356-4d91-a89f-873917b4b0e6"

DEPRECATED = "urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated"
E, S, F = "$XDSDocumentEntry", "$XDSSubmissionSet", "$XDSFolder"
CONF = "2.16.840.1.113883.5.25"
BOTH = f"('{xds.APPROVED}','{DEPRECATED}')"
APPROVED = f"('{xds.APPROVED}')"
PDF = "urn:ihe:iti:xds-sd:pdf:2008^^1.3.6.1.4.1.19376.1.2.3"
A1 = "A1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession"


def send(story: Story, query: str, parameters: list[tuple[str, str]], leaf: bool = True):
    slots = "".join(xds._slot(name, value) for name, value in parameters)
    kind = "LeafClass" if leaf else "ObjectRef"
    return story.client.call(
        "/xds/registry", xds.ITI18,
        f'<query:AdhocQueryRequest xmlns:query="{xds.QUERY}" xmlns:rim="{xds.RIM}">'
        f'<query:ResponseOption returnType="{kind}" returnComposedObjects="true"/>'
        f'<rim:AdhocQuery id="{query}">{slots}</rim:AdhocQuery></query:AdhocQueryRequest>',
    )  # fmt: skip


def found(story: Story, query: str, parameters: list[tuple[str, str]], leaf: bool = True) -> str:
    """Return the names of what was found in order, associations as `source>target`."""
    answer = send(story, query, parameters, leaf)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    validate(answer.body, "query.xsd")
    names = []
    for thing in xds.objects(answer):
        if thing.tag.endswith("}Association"):
            ends = [thing.get(end, "")[9:] for end in ("sourceObject", "targetObject")]
            names.append(">".join(story.name(UUID(end)) for end in ends))
        else:
            names.append(story.name(UUID(thing.get("id", "")[9:])))
    return " ".join(sorted(names))


def finding(*more: tuple[str, str], status: str = BOTH) -> list[tuple[str, str]]:
    return [(f"{E}PatientId", f"'{PATIENT}'"), (f"{E}Status", status), *more]


@pytest.mark.tender("R-6.2.6.2")
@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (finding(status=APPROVED), "d"),
        (finding(status=f"'{xds.APPROVED}'"), "d"),
        (finding(status=f"('{DEPRECATED}')"), "a b c"),
        (finding(), "a b c d"),
        (finding((f"{E}ClassCode", "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')")), "a b c d"),
        (finding((f"{E}ClassCode", "('REPORTS^^9.9')")), ""),
        (finding((f"{E}TypeCode", "('18748-4^^2.16.840.1.113883.6.1','x^^y')")), "a b c d"),
        (finding((f"{E}PracticeSettingCode", "('394914008^^2.16.840.1.113883.6.96')")), "a b c d"),
        (finding((f"{E}HealthcareFacilityTypeCode", "('22232009^^2.16.840.1.113883.6.96')")), "a b c d"),
        (finding((f"{E}FormatCode", f"('{PDF}')")), "a b c d"),
        (finding((f"{E}EventCodeList", f"('CT^^{DCM}')")), "a"),
        (finding((f"{E}EventCodeList", f"('CT^^{DCM}','MR^^{DCM}')")), "a"),
        (finding((f"{E}EventCodeList", f"('CT^^{DCM}')"), (f"{E}EventCodeList", "('chest^^1.2.3')")), "a"),
        (finding((f"{E}EventCodeList", f"('CT^^{DCM}')"), (f"{E}EventCodeList", f"('MR^^{DCM}')")), ""),
        (finding((f"{E}ConfidentialityCode", f"('R^^{CONF}')"), (f"{E}ConfidentialityCode", f"('N^^{CONF}')")), "a"),
        (finding((f"{E}CreationTimeFrom", "20260101"), (f"{E}CreationTimeTo", "20260301120000")), "a"),
        (finding((f"{E}CreationTimeFrom", "'20260301120000'")), "b c d"),
        (finding((f"{E}ServiceStartTimeFrom", "2026")), ""),
        (finding((f"{E}AuthorPerson", "('%Ford%')")), "a"),
        (finding((f"{E}AuthorPerson", "('%Nobody%','^F_rd%')")), "a"),
        (finding((f"{E}Type", f"('{URN}34268e47-fdf5-41a6-ba33-82133c465248')")), ""),
        (finding((f"{E}PracticeSettingCodeScheme", "('ignored')")), "a b c d"),
        (finding((f"{E}DocumentAvailability", "('urn:ihe:iti:2010:DocumentAvailability:Online')")), "a b c d"),
        ([(f"{E}PatientId", "'NOBODY^^^&1.2.3&ISO'"), (f"{E}Status", APPROVED)], ""),
        ([(f"{E}PatientId", f"'{OTHER}'"), (f"{E}Status", APPROVED)], "stranger"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("leaf", [True, False])
def test_find_documents(story: Story, parameters: Any, expected: str, leaf: bool) -> None:
    assert found(story, FIND_DOCUMENTS, parameters, leaf) == expected


@pytest.mark.tender("R-6.2.6.1")
def test_find_documents_by_reference_id(story: Story) -> None:
    by = (f"{E}ReferenceIdList", f"('{A1}')")
    assert found(story, xds.FIND_BY_REFERENCE, finding(by)) == "a"
    assert found(story, xds.FIND_BY_REFERENCE, finding(by, (by[0], "('B2^^^^x')"))) == ""
    answer = send(story, xds.FIND_BY_REFERENCE, finding())
    assert xds.errors(answer) == ["XDSStoredQueryMissingParam"]


def several_values(story: Story) -> list[tuple[str, str]]:
    one, two = (f"'{URN}{x.entry_uuid}'" for x in (story.a, story.d))
    return [(f"{E}EntryUUID", f"({one},{two})")]


def uid(value: UUID) -> str:
    return f"'{URN}{value}'"


LOOK_UPS: list[tuple[str, str, Callable[[Story], list[tuple[str, str]]], str]] = [
    ("documents by entryUUID", GET_DOCUMENTS, several_values, "a d"),
    ("documents by uniqueId", GET_DOCUMENTS, lambda s: [(f"{E}UniqueId", f"('{s.b.unique_id}')")], "b"),
    ("documents by logicalID", GET_DOCUMENTS,
     lambda s: [(f"{E}LogicalID", f"({uid(s.c.entry_uuid)})"), ("$MetadataLevel", "2")], "c"),
    ("folders by logicalID", GET_FOLDERS,
     lambda s: [(f"{F}LogicalID", f"({uid(s.f.entry_uuid)})"), ("$MetadataLevel", "'2'")], "f"),
    ("no document", GET_DOCUMENTS, lambda _: [(f"{E}UniqueId", "('1.2.3.4')")], ""),
    ("folders", GET_FOLDERS, lambda s: [(f"{F}EntryUUID", f"({uid(s.f.entry_uuid)})")], "f"),
    ("folders by uniqueId", GET_FOLDERS, lambda s: [(f"{F}UniqueId", f"('{s.f.unique_id}')")], "f"),
    ("associations", GET_ASSOCIATIONS, lambda s: [("$uuid", f"({uid(s.b.entry_uuid)})")], ">b b>a"),
    ("documents with associations", GET_DOCUMENTS_AND_ASSOCIATIONS,
     lambda s: [(f"{E}EntryUUID", f"({uid(s.d.entry_uuid)})")], "d d>a f>d s2>d"),
    ("submission sets", GET_SETS, lambda s: [("$uuid", f"({uid(s.a.entry_uuid)})")], "s1 s1>a"),
    ("submission sets of a folder", GET_SETS, lambda s: [("$uuid", f"({uid(s.f.entry_uuid)})")], "s1 s1>f"),
    ("set and contents", GET_SET_AND_CONTENTS,
     lambda s: [(f"{S}EntryUUID", uid(s.first.submission_set.entry_uuid))], "a f f>a s1 s1>a s1>f"),
    ("set and contents by uniqueId", GET_SET_AND_CONTENTS,
     lambda s: [(f"{S}UniqueId", f"'{s.first.submission_set.unique_id}'")], "a f f>a s1 s1>a s1>f"),
    ("set and other contents", GET_SET_AND_CONTENTS,
     lambda s: [(f"{S}EntryUUID", uid(s.first.submission_set.entry_uuid)), (f"{E}FormatCode", "('x^^y')")],
     "f s1 s1>f"),
    ("set that made a membership", GET_SET_AND_CONTENTS,
     lambda s: [(f"{S}EntryUUID", uid(s.second.submission_set.entry_uuid))], "d f>d s2 s2> s2>d"),
    ("folder and contents", GET_FOLDER_AND_CONTENTS,
     lambda s: [(f"{F}EntryUUID", uid(s.f.entry_uuid))], "a d f f>a f>d"),
    ("folder and confidential contents", GET_FOLDER_AND_CONTENTS,
     lambda s: [(f"{F}UniqueId", f"'{s.f.unique_id}'"), (f"{E}ConfidentialityCode", f"('R^^{CONF}')")], "a f f>a"),
    ("folders of a document", GET_FOLDERS_FOR_DOCUMENT,
     lambda s: [(f"{E}EntryUUID", uid(s.d.entry_uuid))], "f"),
    ("no folders of a document", GET_FOLDERS_FOR_DOCUMENT,
     lambda s: [(f"{E}UniqueId", f"'{s.b.unique_id}'")], ""),
    ("related", GET_RELATED,
     lambda s: [(f"{E}EntryUUID", uid(s.a.entry_uuid)),
                ("$AssociationTypes", f"('{AssociationType.RPLC}','{AssociationType.APND}')")],
     "a b b>a d d>a"),
    ("nothing related", GET_RELATED,
     lambda s: [(f"{E}EntryUUID", uid(s.b.entry_uuid)), ("$AssociationTypes", f"('{AssociationType.RPLC}')")], ""),
    ("folders are not crossed", GET_RELATED,
     lambda s: [(f"{E}EntryUUID", uid(s.d.entry_uuid)), ("$AssociationTypes", f"('{AssociationType.HAS_MEMBER}')")], ""),
    ("find sets", FIND_SETS,
     lambda _: [(f"{S}PatientId", f"'{OTHER}'"), (f"{S}Status", APPROVED)], "|1"),
    ("find sets by time", FIND_SETS,
     lambda _: [(f"{S}PatientId", f"'{PATIENT}'"), (f"{S}Status", APPROVED),
                (f"{S}SubmissionTimeFrom", "2026"), (f"{S}SubmissionTimeTo", "2027"),
                (f"{S}AuthorPerson", "'%Example%'"), (f"{S}SourceId", "('1.2.250.99.3')")], "|4"),
    ("find no sets", FIND_SETS,
     lambda _: [(f"{S}PatientId", f"'{PATIENT}'"), (f"{S}Status", APPROVED), (f"{S}ContentType", "('x^^y')")], ""),
    ("find folders", FIND_FOLDERS,
     lambda _: [(f"{F}PatientId", f"'{PATIENT}'"), (f"{F}Status", APPROVED),
                (f"{F}CodeList", "('18748-4^^2.16.840.1.113883.6.1')")], "f"),
    ("find folders of the future", FIND_FOLDERS,
     lambda _: [(f"{F}PatientId", f"'{PATIENT}'"), (f"{F}Status", APPROVED), (f"{F}LastUpdateTimeFrom", "2999")], ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "parameters", "expected"),
    [row[1:] for row in LOOK_UPS],
    ids=[row[0] for row in LOOK_UPS],
)
def test_look_ups(story: Story, query: str, parameters: Any, expected: str) -> None:
    got = found(story, query, parameters(story))
    if expected.startswith("|"):  # sets without a letter: only how many
        assert len(got.split(" ")) == int(expected[1:])
    else:
        assert got == expected


def test_get_all(story: Story) -> None:
    parameters = [
        ("$patientId", f"'{PATIENT}'"), (f"{E}Status", APPROVED), (f"{S}Status", APPROVED),
        (f"{F}Status", APPROVED),
    ]  # fmt: skip
    names = found(story, GET_ALL, parameters).split(" ")
    assert {"d", "f", "s1", "s2", "f>d", "s2>d", "s1>f", "s2>"} <= set(names)
    assert not {"a", "b", "f>a", "s1>a"} & set(names)
    everything = [(n, BOTH if n == f"{E}Status" else v) for n, v in parameters]
    assert {"a", "b", "c", "d", "d>a", "b>a"} <= set(found(story, GET_ALL, everything).split(" "))


@pytest.mark.parametrize(
    ("query", "parameters", "code"),
    [
        (f"{URN}00000000-0000-0000-0000-000000000000", [], "XDSUnknownStoredQuery"),
        (FIND_DOCUMENTS, finding()[:1], "XDSStoredQueryMissingParam"),
        (FIND_DOCUMENTS, finding()[1:], "XDSStoredQueryMissingParam"),
        (FIND_DOCUMENTS, finding((f"{E}PatientId", "'x'")), "XDSStoredQueryParamNumber"),
        (FIND_DOCUMENTS, [(f"{E}PatientId", f"('{PATIENT}','{OTHER}')"), (f"{E}Status", APPROVED)],
         "XDSStoredQueryParamNumber"),
        (FIND_DOCUMENTS, finding((f"{E}ClassCode", "('a^^b')"), (f"{E}ClassCode", "('c^^d')")),
         "XDSStoredQueryParamNumber"),
        (FIND_DOCUMENTS, finding((f"{E}CreationTimeFrom", "('2026','2027')")), "XDSStoredQueryParamNumber"),
        (FIND_DOCUMENTS, finding((f"{E}ClassCode", "('REPORTS')")), "XDSRegistryError"),
        (FIND_DOCUMENTS, finding((f"{E}ClassCode", "REPORTS^^x")), "XDSRegistryError"),
        (FIND_DOCUMENTS, finding((f"{E}ClassCode", "'a^^b','c^^d'")), "XDSRegistryError"),
        (FIND_DOCUMENTS, finding((f"{E}ClassCode", "('a^^b',)")), "XDSRegistryError"),
        (FIND_DOCUMENTS, finding((f"{E}ClassCode", "()")), "XDSRegistryError"),
        (FIND_DOCUMENTS, finding((f"{E}ClassCode", "('a^^b' or 1=1)")), "XDSRegistryError"),
        (FIND_DOCUMENTS, finding((f"{E}CreationTimeFrom", "'2026-01-01'")), "XDSRegistryError"),
        (FIND_DOCUMENTS, finding(status="('Approved')"), "XDSStoredQueryMissingParam"),
        (FIND_DOCUMENTS, [(f"{E}PatientId", "'P1'"), (f"{E}Status", APPROVED)], "XDSRegistryError"),
        (GET_DOCUMENTS, [], "XDSStoredQueryMissingParam"),
        (GET_DOCUMENTS, [(f"{E}EntryUUID", f"'{URN}{UUID(int=1)}'"), (f"{E}UniqueId", "'1.2'")],
         "XDSStoredQueryParamNumber"),
        (GET_DOCUMENTS, [(f"{E}EntryUUID", "'1.2.3'")], "XDSRegistryError"),
        (GET_DOCUMENTS, [(f"{E}LogicalID", f"'{URN}{UUID(int=1)}'")], "XDSRegistryError"),
        (GET_FOLDERS, [(f"{F}LogicalID", f"'{URN}{UUID(int=1)}'"), ("$MetadataLevel", "1")], "XDSRegistryError"),
        (GET_DOCUMENTS, [(f"{E}LogicalID", f"'{URN}{UUID(int=1)}'"), ("$MetadataLevel", "3")], "XDSRegistryError"),
        (GET_ASSOCIATIONS, [], "XDSStoredQueryMissingParam"),
        (GET_SET_AND_CONTENTS, [(f"{S}UniqueId", "('1.2','1.3')")], "XDSStoredQueryParamNumber"),
        (GET_RELATED, [(f"{E}UniqueId", "'1.2'")], "XDSStoredQueryMissingParam"),
        (GET_ALL, [("$patientId", f"'{PATIENT}'"), (f"{E}Status", APPROVED)], "XDSStoredQueryMissingParam"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_query_has_its_code(
    story: Story, query: str, parameters: Any, code: str
) -> None:
    answer = send(story, query, parameters)
    assert xds.errors(answer) == [code]
    assert xds.objects(answer) == []
    assert PATIENT not in answer.text()
    validate(answer.body, "query.xsd")


def test_leaves_of_several_patients_are_refused_and_references_are_given(story: Story) -> None:
    uuids = ",".join(uid(x.entry_uuid) for x in (story.a, story.stranger))
    parameters = [(f"{E}EntryUUID", f"({uuids})")]
    assert xds.errors(send(story, GET_DOCUMENTS, parameters)) == ["XDSResultNotSinglePatient"]
    assert found(story, GET_DOCUMENTS, parameters, leaf=False) == "a stranger"


def test_leaves_come_complete(story: Story) -> None:
    (document,) = xds.objects(
        send(story, GET_DOCUMENTS, [(f"{E}UniqueId", f"'{story.a.unique_id}'")])
    )
    assert document.get("status") == DEPRECATED
    assert document.get("lid") == document.get("id")
    assert document.get("objectType") == "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    assert document.find("rim:VersionInfo", xds.NAMES) is not None
    assert len(document.findall("rim:ExternalIdentifier", xds.NAMES)) == 2
    assert len(document.findall("rim:Classification", xds.NAMES)) == 10
    edges = xds.objects(send(story, GET_ASSOCIATIONS, [("$uuid", f"({uid(story.a.entry_uuid)})")]))
    originals = [xds.slot(e, "SubmissionSetStatus") for e in edges]
    assert ["Original"] in originals


def test_a_quote_in_a_value_is_doubled(story: Story) -> None:
    assert found(story, FIND_DOCUMENTS, finding((f"{E}AuthorPerson", "'O''Neill%'"))) == ""


def test_several_values_in_one_slot_are_alternatives(story: Story) -> None:
    values = "".join(f"<rim:Value>({uid(x.entry_uuid)})</rim:Value>" for x in (story.a, story.d))
    body = (
        f'<query:AdhocQueryRequest xmlns:query="{xds.QUERY}" xmlns:rim="{xds.RIM}">'
        '<query:ResponseOption returnType="ObjectRef"/>'
        f'<rim:AdhocQuery id="{GET_DOCUMENTS}"><rim:Slot name="{E}EntryUUID"><rim:ValueList>'
        f"{values}</rim:ValueList></rim:Slot></rim:AdhocQuery></query:AdhocQueryRequest>"
    )
    answer = story.client.call("/xds/registry", xds.ITI18, body)
    assert len(xds.objects(answer)) == 2
    assert etree.QName(xds.objects(answer)[0]).localname == "ObjectRef"
