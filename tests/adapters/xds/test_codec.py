"""ebRIM codec: what is encoded is valid by our schemas and decodes to the same values."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import schemas
from adapters.soap.faults import SoapFault
from adapters.xds import decode, encode, names
from adapters.xds.validation import validate
from kernel.codes import Code
from registry.documents.refusals import MetadataInvalid, ReferenceUnresolved
from registry.documents.values import (
    Association,
    AssociationType,
    Author,
    DocumentEntry,
    Folder,
    Slot,
    Status,
    Submission,
    SubmissionSet,
)
from tests.support import xds
from tests.support.submissions import PATIENT, entry, folder, member, submission, submission_set

# Any text a value list may hold; the codec strips white space at the ends, as xsd:token would.
TEXT = (
    st.text(
        st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"),
        max_size=30,
    )
    .map(str.strip)
    .filter(lambda t: all(ord(c) & 0xFFFE != 0xFFFE for c in t))
)
SOME = TEXT.filter(bool)
MANY = st.lists(SOME, max_size=3).map(tuple)
CODES = st.builds(Code, SOME, SOME, TEXT)
LISTS = st.lists(CODES, max_size=3).map(tuple)
AUTHORS = st.builds(
    Author, person=TEXT, institutions=MANY, roles=MANY, specialties=MANY, telecommunications=MANY
)
EXTRA = st.lists(SOME, max_size=2, unique=True).flatmap(
    lambda found: st.tuples(
        *(st.builds(Slot, st.just(f"urn:x:{n}"), MANY.filter(bool)) for n in found)
    )
)
PERSONS = st.lists(AUTHORS, max_size=2).map(tuple)
STATUS = st.sampled_from(Status)

ENTRIES = st.builds(
    DocumentEntry, entry_uuid=st.uuids(), unique_id=SOME, patient_id=SOME, mime_type=SOME,
    logical_id=st.none() | st.uuids(), version=st.integers(1, 99), availability_status=STATUS,
    repository_unique_id=TEXT, home_community_id=st.just("") | st.just("urn:oid:1.2.3"),
    hash=TEXT, size=st.none() | st.integers(0, 1 << 40), class_code=st.none() | CODES,
    type_code=st.none() | CODES, format_code=st.none() | CODES,
    healthcare_facility_type_code=st.none() | CODES, practice_setting_code=st.none() | CODES,
    confidentiality_codes=LISTS, event_codes=LISTS, authors=PERSONS, legal_authenticator=TEXT,
    creation_time=TEXT, service_start_time=TEXT, service_stop_time=TEXT, language_code=TEXT,
    title=TEXT, comments=TEXT, uri=TEXT, source_patient_id=TEXT, source_patient_info=MANY,
    reference_ids=MANY, document_availability=TEXT, extra=EXTRA,
)  # fmt: skip
SETS = st.builds(
    SubmissionSet, entry_uuid=st.uuids(), unique_id=SOME, source_id=SOME, patient_id=SOME,
    submission_time=TEXT, content_type_code=st.none() | CODES, availability_status=STATUS,
    authors=PERSONS, intended_recipients=MANY, title=TEXT, comments=TEXT, extra=EXTRA,
)  # fmt: skip
FOLDERS = st.builds(
    Folder, entry_uuid=st.uuids(), unique_id=SOME, patient_id=SOME, last_update_time=TEXT,
    codes=LISTS, logical_id=st.none() | st.uuids(), version=st.integers(1, 9),
    availability_status=STATUS, title=TEXT, comments=TEXT, extra=EXTRA,
)  # fmt: skip
ASSOCIATIONS = st.builds(
    Association, entry_uuid=st.uuids(), type=st.sampled_from(AssociationType), source=st.uuids(),
    target=st.uuids(), availability_status=STATUS, submission_set_status=TEXT,
    documentation=st.none() | CODES, extra=EXTRA,
)  # fmt: skip
SUBMISSIONS = st.builds(
    Submission, submission_set=SETS, entries=st.lists(ENTRIES, max_size=2).map(tuple),
    folders=st.lists(FOLDERS, max_size=1).map(tuple),
    associations=st.lists(ASSOCIATIONS, max_size=2).map(tuple),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(SUBMISSIONS)
def test_a_submission_round_trips(asked: Submission) -> None:
    body = etree.fromstring(encode.submit_request(asked))
    validate(body, "lcm.xsd")
    assert decode.submission(body).submission == asked


@pytest.mark.tender("R-3.1")
def test_lxml_and_xmlschema_agree_on_our_schemas() -> None:
    second = xmlschema.XMLSchema(str(schemas.path("xds/xds-b.xsd")))
    whole = submission(entry(), folder())
    good = xds.submission(xds.Document(b"", PATIENT), "AAAA")
    second.validate(etree.fromstring(good))
    validate(etree.fromstring(good), "xds-b.xsd")
    for text in (good.replace("<rim:ValueList>", "<rim:Values>", 1).replace("</rim:ValueList>", "</rim:Values>", 1),
                 good.replace(' sourceObject="set"', "", 1)):  # fmt: skip
        assert not second.is_valid(etree.fromstring(text))
        with pytest.raises(SoapFault):
            validate(etree.fromstring(text), "xds-b.xsd")
    validate(etree.fromstring(encode.submit_request(whole)), "lcm.xsd")


@pytest.mark.parametrize(
    ("body", "schema"),
    [
        (encode.registry_response(), "rs.xsd"),
        (encode.registry_response([encode.RegistryError("XDSRegistryError", "<&>")]), "rs.xsd"),
        (encode.query_response([]), "query.xsd"),
        (
            encode.query_response([], [encode.RegistryError("XDSUnknownStoredQuery", "x")]),
            "query.xsd",
        ),
    ],
)
@pytest.mark.tender("R-3.1")
def test_responses_are_valid(body: str, schema: str) -> None:
    validate(etree.fromstring(body), schema)


def test_a_schema_fault_quotes_no_value() -> None:
    text = encode.submit_request(submission(entry(title="Ada Example" + "x" * 300)))
    with pytest.raises(SoapFault) as fault:
        validate(etree.fromstring(text), "lcm.xsd")
    assert "LocalizedString@value" in fault.value.reason
    assert "Ada" not in fault.value.reason


def submit(things: str, *, prefix: bool = True) -> etree._Element:
    rim = f'xmlns:rim="{names.RIM}"' if prefix else f'xmlns="{names.RIM}"'
    p = "rim:" if prefix else ""
    return etree.fromstring(
        f'<lcm:SubmitObjectsRequest xmlns:lcm="{names.LCM}" {rim}><{p}RegistryObjectList>{things}'
        f"</{p}RegistryObjectList></lcm:SubmitObjectsRequest>"
    )


def objects_of(asked: Submission) -> str:
    text = encode.submit_request(asked)
    return text.partition("<rim:RegistryObjectList>")[2].rpartition("</rim:RegistryObjectList>")[0]


def test_default_namespaces_mean_the_same() -> None:
    asked = submission(entry(), folder())
    body = submit(objects_of(asked).replace("rim:", ""), prefix=False)
    validate(body, "lcm.xsd")
    assert decode.submission(body).submission == asked


def test_symbolic_ids_become_new_uuids_everywhere() -> None:
    document, whole = entry(), submission_set()
    asked = submission(document, whole=whole)
    text = objects_of(asked)
    for uuid, symbol in ((document.entry_uuid, "doc01"), (whole.entry_uuid, "set01")):
        text = text.replace(f"urn:uuid:{uuid}", symbol)
    found = decode.submission(submit(text))
    (read,) = found.submission.entries
    assert read.entry_uuid not in {document.entry_uuid, UUID(int=0)}
    assert found.submission.associations[0].target == read.entry_uuid
    assert found.submission.associations[0].source == found.submission.submission_set.entry_uuid
    assert found.entry_uuid("doc01") == read.entry_uuid
    assert found.entry_uuid("set01") is None
    assert found.entry_uuid("doc02") is None


def test_an_upper_case_uuid_is_the_same_id() -> None:
    document = entry()
    text = objects_of(submission(document))
    text = text.replace(
        f"urn:uuid:{document.entry_uuid}", f"urn:uuid:{str(document.entry_uuid).upper()}"
    )
    found = decode.submission(submit(text))
    assert found.submission.entries[0].entry_uuid == document.entry_uuid
    assert found.entry_uuid(f"urn:uuid:{document.entry_uuid}") == document.entry_uuid


def test_the_kind_of_a_package_may_stand_inside_or_beside_it() -> None:
    whole = submission_set()
    text = objects_of(submission(entry(), whole=whole))
    inside = text[text.index("<rim:Classification", text.index(names.CONTENT_TYPE_CODE)) :]
    inside = inside[: inside.index("/>") + 2]
    assert names.SUBMISSION_SET in inside
    moved = text.replace(inside, "") + inside
    assert decode.submission(submit(moved)).submission.submission_set == whole


def test_object_refs_are_legal_and_ignored() -> None:
    old = uuid4()
    asked = submission(entry(), member(uuid4(), old))
    text = f'<rim:ObjectRef id="urn:uuid:{old}"/>' + objects_of(asked)
    assert decode.submission(submit(text)).submission == asked


BAD: dict[str, Any] = {
    "no submission set": lambda t: t.replace(names.SUBMISSION_SET, names.FOLDER),
    "unknown kind of package": lambda t: t.replace(names.SUBMISSION_SET, "urn:uuid:0"),
    "slot twice": lambda t: t.replace('name="languageCode"', 'name="creationTime"'),
    "empty slot": lambda t: t.replace("<rim:Value>zh-CN</rim:Value>", ""),
    "two values": lambda t: t.replace(
        "<rim:Value>zh-CN</rim:Value>", "<rim:Value>zh-CN</rim:Value><rim:Value>en</rim:Value>"
    ),
    "size no number": lambda t: t.replace("<rim:Value>24</rim:Value>", "<rim:Value>many</rim:Value>"),
    "two class codes": lambda t: t.replace(names.TYPE_CODE, names.CLASS_CODE),
    "unknown scheme": lambda t: t.replace(names.TYPE_CODE, "urn:uuid:00000000-0000-0000-0000-000000000000"),
    "unknown identifier": lambda t: t.replace(names.DOCUMENT_UNIQUE_ID, "urn:uuid:1"),
    "code without scheme": lambda t: t.replace('"codingScheme"', '"urn:x:scheme"'),
    "unknown association": lambda t: t.replace(AssociationType.HAS_MEMBER, "urn:x:knows"),
    "not a uuid": lambda t: t.replace('targetObject="urn:uuid:', 'targetObject="urn:uuid:zz'),
    "limited metadata": lambda t: t.replace(
        names.SUBMISSION_SET, "urn:uuid:5003a9db-8d8d-49e6-bf0c-990e34ac7707"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_malformed_metadata_are_refused(name: str) -> None:
    text = objects_of(submission(entry()))
    broken = BAD[name](text)
    assert broken != text
    with pytest.raises(MetadataInvalid):
        decode.submission(submit(broken))


def test_a_symbol_that_nothing_defines_is_unresolved() -> None:
    text = objects_of(submission(entry()))
    start = text.index('targetObject="') + 14
    broken = text[:start] + "nowhere" + text[text.index('"', start) :]
    with pytest.raises(ReferenceUnresolved):
        decode.submission(submit(broken))


def test_an_id_is_defined_once() -> None:
    one, two = entry(), entry()
    text = objects_of(submission(one, two))
    with pytest.raises(MetadataInvalid, match="twice"):
        decode.submission(submit(text.replace(str(two.entry_uuid), str(one.entry_uuid))))


def test_a_classification_belongs_to_the_object_it_stands_in() -> None:
    text = objects_of(submission(entry())).replace(
        'classifiedObject="urn:uuid:', 'classifiedObject="urn:uuid:0', 1
    )
    with pytest.raises(MetadataInvalid):
        decode.submission(submit(text))


def test_slots_outside_the_profile_are_kept() -> None:
    document = entry(extra=(Slot("urn:example:ward", ("7", "8")),))
    found = decode.submission(submit(objects_of(submission(document)))).submission
    assert found.entries[0].extra == document.extra
