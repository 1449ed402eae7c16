"""ITI-67 Find Document References, ITI-66 Find Document Lists (IHE MHD 2:3.67, 2:3.66)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from fhir.resources.R4B import get_fhir_model_class

from kernel.codes import Code
from kernel.identifiers import PatientId
from registry.documents.values import AssociationType, Author
from tests.support import fhir
from tests.support.fhir import Client
from tests.support.submissions import (
    AUTHORITY,
    LOINC,
    association,
    entry,
    folder,
    member,
    submission,
)
from tests.support.updates import metadata_update, new_version
from tests.support.xds_node import Node
from workflows.update_documents import UpdateDocuments

STUDY = "1.2.840.99.1.2.3"


@pytest.fixture
def who(node: Node) -> tuple[str, str]:
    """A patient of this test's own: CX and key."""
    number = f"F-{uuid4().hex[:12]}"
    patient_id = f"{number}^^^&{AUTHORITY}&ISO"
    node.identify(patient_id)
    return patient_id, str(node.place.keys.key(PatientId.parse(patient_id)))


@pytest.fixture
def three(node: Node, who: tuple[str, str]) -> list[UUID]:
    """Three documents that differ in everything that can be asked for."""
    patient = who[0]
    made = [
        entry(
            patient, creation_time="20250101", service_start_time="20241230",
            service_stop_time="20241231", authors=(Author(person="1^Müller^Hans^^^^^^&1.2.3&ISO"),),
            event_codes=(Code("CT", "1.2.840.10008.2.6.1"), Code("51185008", "2.16.840.1.113883.6.96")),
            reference_ids=(f"A1^^^&{AUTHORITY}&ISO^urn:ihe:iti:xds:2013:accession",
                           f"{STUDY}^^^^urn:ihe:iti:xds:2016:studyInstanceUID"),
            comments="chest", title="one",
        ),
        entry(
            patient, creation_time="20250615120000", authors=(Author(person="^Wang^Fang"),),
            event_codes=(Code("MR", "1.2.840.10008.2.6.1"),),
            type_code=Code("18726-0", LOINC, "Radiology studies"),
            confidentiality_codes=(Code("R", "2.16.840.1.113883.5.25"),),
            mime_type="text/plain", service_start_time="20250615", title="two",
        ),
        entry(patient, creation_time="20260101", language_code="en", title="three"),
    ]  # fmt: skip
    node.register(submission(*made))
    replaced = entry(patient, creation_time="20260202")
    node.register(
        submission(
            replaced, association(AssociationType.RPLC, replaced.entry_uuid, made[2].entry_uuid)
        )
    )
    return [*(one.entry_uuid for one in made), replaced.entry_uuid]


def found(client: Client, key: str, three: list[UUID], **asked: Any) -> list[int]:
    """Return which of the documents a search finds, by their number."""
    pairs = [("patient", key), ("status", asked.pop("status", "current"))]
    for name, value in asked.items():
        told = name.replace("__", ".").replace("_to_", ":").replace("ZZ", "-")
        pairs += [(told, one) for one in (value if isinstance(value, list) else [value])]
    answer = client.get("/DocumentReference", pairs=pairs)
    ids = {one["id"] for one in fhir.resources(answer)}
    assert answer.json()["total"] == len(ids)
    return [number for number, uuid in enumerate(three) if str(uuid) in ids]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [0, 1, 3]),
        ({"status": "superseded"}, [2]),
        ({"status": "current,superseded"}, [0, 1, 2, 3]),
        ({"status": "entered-in-error"}, []),
        ({"type": "http://loinc.org|18726-0"}, [1]),
        ({"type": "18726-0"}, [1]),
        ({"type": f"urn:oid:{LOINC}|18726-0,http://loinc.org|18748-4"}, [0, 1, 3]),
        ({"type": "http://loinc.org|"}, [0, 1, 3]),
        ({"type": "|18726-0"}, []),
        ({"type": ["18726-0", "18748-4"]}, []),
        ({"category": "urn:oid:1.3.6.1.4.1.19376.1.2.6.1|REPORTS"}, [0, 1, 3]),
        ({"category": "IMAGES"}, []),
        ({"event": "http://dicom.nema.org/resources/ontology/DCM|MR"}, [1]),
        ({"event": "http://dicom.nema.org/resources/ontology/DCM|MR,51185008"}, [0, 1]),
        ({"event": ["CT", "51185008"]}, [0]),
        ({"modality": "CT"}, [0]),
        ({"bodysite": "http://snomed.info/sct|51185008"}, [0]),
        ({"securityZZlabel": "R"}, [1]),
        ({"facility": "http://snomed.info/sct|22232009"}, [0, 1, 3]),
        ({"setting": "1"}, []),
        ({"format": "urn:ihe:iti:xds-sd:pdf:2008"}, [0, 1, 3]),
        ({"author__family": "muller"}, [0]),
        ({"author__family": "Mül"}, [0]),
        ({"author__family_to_exact": "Müller"}, [0]),
        ({"author__family_to_exact": "müller"}, []),
        ({"author__given_to_contains": "an"}, [0, 1]),
        ({"author__given": "hans", "author__family": "wang"}, []),
        ({"creation": "2025-01-01"}, [0]),
        ({"creation": "2025"}, [0, 1]),
        ({"creation": ["ge2025-06-01", "lt2026-01-01"]}, [1]),
        ({"creation": "gt2025-06-15T11:59:59Z"}, [1, 3]),
        ({"creation": "le2025-06-15T20:00:00+08:00"}, [0, 1]),
        ({"creation": "ne2025-01-01"}, [1, 3]),
        ({"creation": "sa2025-06-15"}, [3]),
        ({"creation": "eb2025-06-15"}, [0]),
        ({"period": "2024-12-31"}, [0]),
        ({"period": "ge2025-01-01"}, [1]),
        ({"period": "lt2025-01-01"}, [0]),
        ({"date": "ge2026"}, [0, 1, 3]),
        ({"date": "lt2026"}, []),
        ({"related": f"urn:oid:{AUTHORITY}|A1"}, [0]),
        ({"related_to_identifier": f"urn:oid:{AUTHORITY}|A1"}, [0]),
        ({"related": "urn:oid:1.9|A1"}, []),
        ({"studyZZinstanceZZuid": f"urn:oid:{STUDY}"}, [0]),
        ({"studyZZinstanceZZuid": f"urn:dicom:uid|urn:oid:{STUDY}"}, [0]),
        ({"accessionZZnumber": "A1"}, [0]),
        ({"accessionZZnumber": STUDY}, []),
        ({"contenttype": "text/plain"}, [1]),
        ({"description": "Che"}, [0]),
        ({"nonsense": "1"}, [0, 1, 3]),
    ],
)
def test_each_parameter_narrows(
    client: Client, who: tuple[str, str], three: list[UUID], asked: dict[str, Any],
    expected: list[int],
) -> None:  # fmt: skip
    assert found(client, who[1], three, **asked) == expected


def test_one_patient_is_found_by_reference_and_identifier_by_get_and_post(
    client: Client, who: tuple[str, str], three: list[UUID]
) -> None:
    number = who[0].partition("^")[0]
    for name, value in (
        ("patient", who[1]),
        ("patient", f"Patient/{who[1]}"),
        ("patient", f"{client.base}/Patient/{who[1]}"),
        ("subject", f"Patient/{who[1]}"),
        ("patient:Patient", who[1]),
        ("patient.identifier", f"urn:oid:{AUTHORITY}|{number}"),
        ("patient:Patient.identifier", f"urn:oid:{AUTHORITY}|{number}"),
        ("patient.identifier", f"{AUTHORITY}|{number}"),
        ("patient.identifier", number),
        ("patient:identifier", f"urn:oid:{AUTHORITY}|{number}"),
    ):
        pairs = [(name, value), ("status", "current")]
        by_get = fhir.resources(client.get("/DocumentReference", pairs=pairs))
        by_post = fhir.resources(client.form("/DocumentReference", pairs))
        ids = [one["id"] for one in by_get]
        assert ids == [one["id"] for one in by_post]
        assert set(ids) == {str(three[n]) for n in (0, 1, 3)}, (name, value)
    bundle = client.form("/DocumentReference", pairs).json()
    get_fhir_model_class("Bundle").model_validate(bundle)
    assert number not in bundle["link"][0]["url"]


def test_zero_hits_are_an_empty_bundle(client: Client, who: tuple[str, str]) -> None:
    for value in (who[1], str(uuid4()), "no-uuid"):
        answer = client.get("/DocumentReference", patient=value, status="current")
        assert fhir.resources(answer) == []
        assert answer.json()["total"] == 0
        assert "entry" not in answer.json()


@pytest.mark.parametrize(
    ("asked", "issue"),
    [
        ({"status": "current"}, "required"),
        ({"patient": "x"}, "required"),
        ({"patient": "x", "status": "current", "creation": "yesterday"}, "value"),
        ({"patient": "x", "status": "current", "creation": "2026-02-31"}, "value"),
        ({"patient": "x", "status": "current", "_count": "many"}, "value"),
        ({"patient": "x", "status": "current", "type:below": "1"}, "not-supported"),
        ({"patient": "x", "status": "current", "_sort": "colour"}, "not-supported"),
        ({"patient": "urn:oid:1.2|7", "status": "current"}, "value"),
    ],
)
def test_a_bad_search_is_refused(client: Client, asked: dict[str, str], issue: str) -> None:
    answer = client.get("/DocumentReference", pairs=list(asked.items()))
    assert answer.status_code == 400
    assert fhir.issue(answer)["code"] == issue


def test_a_strict_client_learns_of_unknown_parameters(
    client: Client, who: tuple[str, str], three: list[UUID]
) -> None:
    pairs = [("patient", who[1]), ("status", "current"), ("color", "red")]
    lenient = client.get("/DocumentReference", pairs=pairs)
    (outcome,) = [e for e in lenient.json()["entry"] if e["search"]["mode"] == "outcome"]
    assert "color" in outcome["resource"]["issue"][0]["diagnostics"]
    assert len(fhir.resources(lenient)) == len(three) - 1
    strict = client.get("/DocumentReference", pairs=pairs, headers={"prefer": "handling=strict"})
    assert strict.status_code == 400


def test_pages_follow_next_until_all_are_seen(
    client: Client, who: tuple[str, str], three: list[UUID]
) -> None:
    pairs = [("patient", who[1]), ("status", "current,superseded"), ("_count", "3")]
    seen, answer = [], client.get("/DocumentReference", pairs=pairs)
    while True:
        seen += [one["id"] for one in fhir.resources(answer)]
        following = [k["url"] for k in answer.json()["link"] if k["relation"] == "next"]
        if not following:
            break
        answer = client.get(following[0].removeprefix(client.base))
    assert sorted(seen) == sorted(map(str, three))
    counted = client.get("/DocumentReference", pairs=[*pairs, ("_summary", "count")]).json()
    assert counted["total"] == len(three)
    assert "entry" not in counted
    dates = [
        one["content"][0]["attachment"]["creation"]
        for one in fhir.resources(
            client.get("/DocumentReference", pairs=[*pairs, ("_sort", "creation")])
        )
    ]
    assert dates == ["2025-01-01", "2025-06-15T12:00:00Z", "2026-01-01"]


def test_documents_are_found_by_their_identifiers(client: Client, three: list[UUID]) -> None:
    read = client.get(f"/DocumentReference/{three[0]}")
    assert read.status_code == 200
    one = get_fhir_model_class("DocumentReference").model_validate(read.json())
    unique = one.masterIdentifier.value
    for value in (unique, f"urn:ietf:rfc:3986|{unique}", f"urn:uuid:{three[0]}", str(three[0])):
        matches = fhir.resources(client.get("/DocumentReference", identifier=value))
        assert [m["id"] for m in matches] == [str(three[0])], value
    ids = ",".join(str(uuid) for uuid in three[:2])
    assert len(fhir.resources(client.get("/DocumentReference", _id=ids))) == 2
    for wrong in (uuid4(), "nonsense", "..%2f"):
        assert client.get(f"/DocumentReference/{wrong}").status_code == 404


def test_superseded_versions_are_shown_to_who_names_them_only(
    node: Node, client: Client, who: tuple[str, str]
) -> None:
    patient, key = who
    old, case = entry(patient), folder(patient)
    node.register(submission(old, case, member(case.entry_uuid, old.entry_uuid)))
    new, renamed = new_version(old, title="Better"), new_version(case)
    update = UpdateDocuments(node.place.facts, node.index, node.register)
    update(metadata_update(new, renamed))

    def references(**asked: str) -> list[str]:
        return [one["id"] for one in fhir.resources(client.get("/DocumentReference", **asked))]

    for status in ("current", "current,superseded"):
        assert references(patient=key, status=status) == [str(new.entry_uuid)]
    assert references(patient=key, status="superseded") == []
    assert references(identifier=old.unique_id) == [str(new.entry_uuid)]
    # The first version's entryUUID is the logicalID of all of them.
    assert references(identifier=f"urn:uuid:{old.entry_uuid}") == [str(new.entry_uuid)]
    assert references(_id=str(old.entry_uuid)) == [str(old.entry_uuid)]
    shown = client.get(f"/DocumentReference/{old.entry_uuid}").json()
    assert (shown["id"], shown["status"]) == (str(old.entry_uuid), "superseded")

    asked = {"patient": key, "code": "folder", "status": "current"}
    (found,) = fhir.resources(client.get("/List", **asked))
    assert found["id"] == str(renamed.entry_uuid)
    assert [e["item"]["reference"] for e in found["entry"]] == [
        f"DocumentReference/{new.entry_uuid}"
    ]
    by_first = client.get("/List", identifier=f"urn:uuid:{case.entry_uuid}")
    assert [one["id"] for one in fhir.resources(by_first)] == [str(renamed.entry_uuid)]
    assert client.get(f"/List/{case.entry_uuid}").json()["status"] == "retired"


def test_sets_and_folders_are_found_as_lists(
    node: Node, client: Client, who: tuple[str, str]
) -> None:
    patient, key = who
    document, held = entry(patient), folder(patient, comments="noted")
    told = submission(document, held, member(held.entry_uuid, document.entry_uuid))
    whole = told.submission_set
    node.register(told)

    def lists(**asked: str) -> list[str]:
        pairs = [("patient", key), ("status", "current")]
        pairs += [(n.replace("__", "."), v) for n, v in asked.items()]
        answer = client.form("/List", pairs)
        get_fhir_model_class("Bundle").model_validate(answer.json())
        return [one["id"] for one in fhir.resources(answer)]

    set_id, folder_id = str(whole.entry_uuid), str(held.entry_uuid)
    code = f"{fhir.MHD}/CodeSystem/MHDlistTypes"
    assert lists(code="submissionset") == [set_id]
    assert lists(code=f"{code}|folder") == [folder_id]
    assert set(lists(code="submissionset,folder")) == {set_id, folder_id}
    assert lists(code="submissionset", sourceId="urn:oid:1.2.250.99.3") == [set_id]
    assert lists(code="submissionset", sourceId="urn:oid:1.2.250.99.4") == []
    assert lists(code="submissionset", source__family="exam") == [set_id]
    assert lists(code="submissionset", source__given="Eve") == []
    assert lists(code="submissionset", designationType="http://loinc.org|18748-4") == [set_id]
    assert lists(code="submissionset", date="2026-01-02") == [set_id]
    assert lists(code="submissionset", date="gt2026-01-02") == []
    assert lists(code="folder", date="ge2026-01-02") == [folder_id]
    assert lists(code="folder", source__family="nobody") == [folder_id]
    assert lists(code="submissionset", identifier=f"urn:oid:{whole.unique_id}") == [set_id]
    told_set, told_folder = (
        client.get(f"/List/{set_id}").json(),
        client.get(f"/List/{folder_id}").json(),
    )
    assert {e["item"]["reference"] for e in told_set["entry"]} == {
        f"DocumentReference/{document.entry_uuid}", f"List/{folder_id}",
    }  # fmt: skip
    assert [e["item"]["reference"] for e in told_folder["entry"]] == [
        f"DocumentReference/{document.entry_uuid}"
    ]
    assert told_folder["note"][0]["text"] == "noted"
    assert told_set["source"]["reference"].startswith("#")
    assert client.get("/List", patient=key, status="current").status_code == 400
    assert client.get("/List", patient=key, code="folder").status_code == 400
    assert client.get("/List", code="folder", status="current").status_code == 400
    assert client.get(f"/List/{uuid4()}").status_code == 404
