"""The rules of each attribute: what is missing or malformed is refused by name (ITI TF-3 4.2.3)."""

from __future__ import annotations

from typing import Any

import pytest

import schemas
from kernel.codes import Code
from kernel.identifiers import new_uid
from registry.documents.code_sets import CodeSets
from registry.documents.metadata import check_entry, check_folder, check_submission_set
from registry.documents.refusals import CodeUnknown, MetadataInvalid
from registry.documents.values import ON_DEMAND, Author, Slot
from tests.support.submissions import entry, folder, submission, submission_set

MISSING: dict[str, Any] = {
    "classCode": {"class_code": None},
    "typeCode": {"type_code": None},
    "formatCode": {"format_code": None},
    "healthcareFacilityTypeCode": {"healthcare_facility_type_code": None},
    "practiceSettingCode": {"practice_setting_code": None},
    "confidentialityCode": {"confidentiality_codes": ()},
    "creationTime": {"creation_time": ""},
    "languageCode": {"language_code": ""},
    "sourcePatientId": {"source_patient_id": ""},
    "mimeType": {"mime_type": ""},
    "uniqueId": {"unique_id": ""},
    "patientId": {"patient_id": ""},
    "hash": {"hash": ""},
    "size": {"size": None},
    "repositoryUniqueId": {"repository_unique_id": ""},
}
MALFORMED: list[tuple[str, dict[str, Any]]] = [
    ("classCode", {"class_code": Code("", "1.2.3")}),
    ("classCode", {"class_code": Code("a", "")}),
    ("creationTime", {"creation_time": "2026-01-02"}),
    ("creationTime", {"creation_time": "20261301"}),
    ("creationTime", {"creation_time": "20260102030405.123"}),
    ("creationTime", {"creation_time": "20260102+0800"}),
    ("serviceStopTime", {"service_start_time": "20260102", "service_stop_time": "20260101"}),
    ("languageCode", {"language_code": "zh_CN"}),
    ("mimeType", {"mime_type": "pdf"}),
    ("hash", {"hash": "xyz"}),
    ("size", {"size": -1}),
    ("uniqueId", {"unique_id": "a b"}),
    ("uniqueId", {"unique_id": "1" * 129}),
    ("repositoryUniqueId", {"repository_unique_id": "urn:oid:1.2"}),
    ("patientId", {"patient_id": "P1^^^Hospital&1.2.3&ISO"}),
    ("patientId", {"patient_id": "P1^^^&1.2.3&DNS"}),
    ("sourcePatientId", {"source_patient_id": "P1"}),
    ("sourcePatientInfo", {"source_patient_info": ("PID-19|1",)}),
    ("sourcePatientInfo", {"source_patient_info": ("PID-40|1",)}),
    ("sourcePatientInfo", {"source_patient_info": ("Name|x",)}),
    ("referenceIdList", {"reference_ids": ("A1",)}),
    ("referenceIdList", {"reference_ids": ("A1^^^&1.2.3&ISO",)}),
    ("title", {"title": "x" * 129}),
    ("comments", {"comments": "x" * 257}),
    ("author", {"authors": (Author(roles=("doctor",)),)}),
    ("documentAvailability", {"document_availability": "Online"}),
    ("objectType", {"object_type": ON_DEMAND}),
    ("logicalID", {"logical_id": entry().entry_uuid}),
    ("myslot", {"extra": (Slot("myslot", ("x",)),)}),
    ("urn:x:y", {"extra": (Slot("urn:x:y", ("x",)), Slot("urn:x:y", ("z",)))}),
    ("urn:x:y", {"extra": (Slot("urn:x:y", ("x" * 257,)),)}),
]


@pytest.mark.parametrize("attribute", MISSING)
def test_a_missing_attribute_is_named(attribute: str) -> None:
    with pytest.raises(MetadataInvalid) as refused:
        check_entry(entry(**MISSING[attribute]))
    assert refused.value.details["attribute"] == attribute
    assert attribute in str(refused.value)


@pytest.mark.parametrize(("attribute", "changes"), MALFORMED)
def test_a_malformed_attribute_is_named(attribute: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MetadataInvalid) as refused:
        check_entry(entry(**changes))
    assert refused.value.details["attribute"] == attribute


@pytest.mark.parametrize(
    "changes",
    [
        {"mime_type": "text/goofy"},
        {"unique_id": "1.2.3^extension"},
        {"creation_time": "2026"},
        {"service_start_time": "20260102", "service_stop_time": "202601020000"},
        {"source_patient_info": ("PID-3|P1^^^&1.2.3&ISO", "PID-5|Example^Ada", "PID-8|O")},
        {"reference_ids": ("1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID",)},
        {"reference_ids": ("A1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:accession",)},
        {"authors": (Author(institutions=("Example Hospital",)),)},
        {"document_availability": "urn:ihe:iti:2010:DocumentAvailability:Offline"},
        {"extra": (Slot("urn:example:ward", ("7",)),)},
        {"title": "检" * 128},
        {"size": 0},
    ],
)
def test_what_the_standard_allows_passes(changes: dict[str, Any]) -> None:
    check_entry(entry(**changes))


@pytest.mark.parametrize(
    ("attribute", "changes"),
    [
        ("size", {"size": 1 << 63}),
        ("title", {"title": "a\x00"}),
        ("authorPerson", {"authors": (Author(person="^Ford\x00^Ada"),)}),
        ("eventCodeList", {"event_codes": (Code("a\x00", "1.2"),)}),
        ("referenceIdList", {"reference_ids": ("a\x00^^^&1.2&ISO^urn:x",)}),
    ],
)
def test_what_no_database_holds_is_refused(attribute: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MetadataInvalid) as refused:
        check_entry(entry(**changes))
    assert refused.value.details["attribute"] == attribute


def test_personal_values_are_not_in_refusals() -> None:
    with pytest.raises(MetadataInvalid) as refused:
        check_entry(entry(source_patient_info=("Example^Ada born 1980",)))
    assert "Ada" not in str(refused.value)
    with pytest.raises(MetadataInvalid) as refused:
        check_entry(entry(patient_id="secret-number"))
    assert "secret-number" not in str(refused.value)


@pytest.mark.parametrize(
    ("attribute", "changes"),
    [
        ("uniqueId", {"unique_id": "1.2.3^x"}),
        ("sourceId", {"source_id": ""}),
        ("submissionTime", {"submission_time": ""}),
        ("contentTypeCode", {"content_type_code": None}),
        ("patientId", {"patient_id": ""}),
    ],
)
def test_a_submission_set_is_complete(attribute: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MetadataInvalid) as refused:
        check_submission_set(submission_set(**changes))
    assert refused.value.details["attribute"] == attribute


@pytest.mark.parametrize(
    ("attribute", "changes"),
    [("uniqueId", {"unique_id": ""}), ("title", {"title": ""}), ("codeList", {"codes": ()})],
)
def test_a_folder_is_complete(attribute: str, changes: dict[str, Any]) -> None:
    with pytest.raises(MetadataInvalid) as refused:
        check_folder(folder(**changes))
    assert refused.value.details["attribute"] == attribute


SETS = CodeSets.parse(schemas.path("codes/affinity-domain.json").read_bytes())


def test_the_demos_codes_cover_a_report() -> None:
    SETS.check_submission(submission(entry(), folder()))


def test_a_code_outside_its_set_is_refused_with_attribute_and_code() -> None:
    strange = submission(entry(type_code=Code("99999", "1.2.3", "Strange")))
    with pytest.raises(CodeUnknown, match=r"typeCode '99999\^\^1\.2\.3'"):
        SETS.check_submission(strange)
    SETS.without(["typeCode"]).check_submission(strange)


def test_open_sets_let_every_code_pass() -> None:
    SETS.check_submission(submission(entry(event_codes=(Code("T-D3000", "SRT", "Chest"),))))


def test_displays_are_chinese_where_asked_for() -> None:
    code = Code("18748-4", "2.16.840.1.113883.6.1")
    assert SETS.display("typeCode", code, "zh-CN") == "影像检查"
    assert SETS.display("typeCode", code, "en") == "Diagnostic imaging study"
    assert SETS.display("typeCode", Code(new_uid(), "x", "kept"), "zh") == "kept"
