"""ITI-78 (PDQm) and ITI-83 (PIXm): patients by demographics, identifiers by identifiers."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from fhir.resources.R4B import get_fhir_model_class

from kernel.identifiers import PatientId
from registry.patients.values import Told
from tests.support import fhir
from tests.support.fhir import Client
from tests.support.fhir_node import OTHER_AUTHORITY
from tests.support.submissions import AUTHORITY
from tests.support.xds_node import Node
from workflows.receive_identity_feed import IdentityFeed

OURS = f"urn:oid:{AUTHORITY}"
OTHER = f"urn:oid:{OTHER_AUTHORITY}"


def feed(node: Node) -> IdentityFeed:
    return IdentityFeed(node.place.facts, node.place.keys, AUTHORITY)


@pytest.fixture
def family(node: Node) -> tuple[str, list[UUID]]:
    """Three patients of a family name that is nobody else's."""
    surname = "".join(chr(ord("a") + int(c, 16)) for c in uuid4().hex[:12])
    told = (
        (f"{surname}^Ada^Maria=王^芳", "19700201", "F", "A-{}"),
        (f"{surname.title()}^Bob", "19800515", "M", "B-{}"),
        (f"{surname}son^Carl", "1990", "O", "C-{}"),
    )
    keys = []
    for name, birth, sex, number in told:
        ids = [PatientId(number.format(surname), AUTHORITY)]
        if sex == "F":
            ids.append(PatientId(f"X-{surname}", OTHER_AUTHORITY))
        keys.append(
            feed(node).receive(
                ids, Told(name=name, birth_date=birth, sex=sex, address="Elm 5^^Springfield",
                          telephone="+1 555-0100"),
            )
        )  # fmt: skip
    return surname, keys


def found(client: Client, them: tuple[str, list[UUID]], /, **asked: Any) -> list[int]:
    surname, keys = them
    pairs = [
        (name.replace("_to_", ":").replace("ZZ", "-"), str(value).replace("NAME", surname))
        for name, values in asked.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    by_get = client.get("/Patient", pairs=pairs)
    by_post = client.form("/Patient", pairs)
    ids = [one["id"] for one in fhir.resources(by_get)]
    assert ids == [one["id"] for one in fhir.resources(by_post)]
    get_fhir_model_class("Bundle").model_validate(by_get.json())
    return [number for number, key in enumerate(keys) if str(key) in ids]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"family": "NAME"}, [0, 1, 2]),
        ({"family_to_exact": "NAME"}, [0]),
        ({"family": "NAMEs"}, [2]),
        ({"family": "NAME", "given": "bo"}, [1]),
        ({"family": "NAME", "given": "maria"}, [0]),
        ({"family": "NAME", "given": "ada,carl"}, [0, 2]),
        ({"family": "NAME", "gender": "female"}, [0]),
        ({"family": "NAME", "gender": "male,other"}, [1, 2]),
        ({"family": "NAME", "gender": "unknown"}, []),
        ({"family": "NAME", "birthdate": "1970-02-01"}, [0]),
        ({"family": "NAME", "birthdate": "1970-02-02"}, []),
        ({"family": "NAME", "birthdate": "1990"}, [2]),
        ({"family": "NAME", "birthdate": ["ge1970-03", "lt1985"]}, [1]),
        ({"family": "NAME", "active": "true"}, [0, 1, 2]),
        ({"family": "NAME", "active": "false"}, []),
        ({"name": "王芳", "family": "NAME"}, [0]),
        ({"identifier": f"{OURS}|B-NAME"}, [1]),
        ({"identifier": f"{OTHER}|X-NAME"}, [0]),
        ({"identifier": [f"{OURS}|A-NAME", f"{OTHER}|X-NAME"]}, [0]),
        ({"identifier": [f"{OURS}|B-NAME", f"{OTHER}|X-NAME"]}, []),
        ({"identifier": "C-NAME"}, [2]),
        ({"identifier": f"{OTHER}|B-NAME"}, []),
        ({"family": "NAME", "address": "Springfield"}, [0, 1, 2]),
        ({"family": "NAME", "addressZZcity": "Shelbyville"}, []),
        ({"family": "NAME", "telecom": "5550100"}, [0, 1, 2]),
        ({"family": "NAME", "telecom": "5550199"}, []),
    ],
)
def test_each_parameter_narrows(
    client: Client, family: tuple[str, list[UUID]], asked: dict[str, Any], expected: list[int]
) -> None:
    assert found(client, family, **asked) == expected


def test_a_patient_tells_who_he_is_and_all_identifiers(
    client: Client, family: tuple[str, list[UUID]]
) -> None:
    surname, keys = family
    read = client.get(f"/Patient/{keys[0]}")
    get_fhir_model_class("Patient").model_validate(read.json())
    told = read.json()
    assert {(one["system"], one["value"]) for one in told["identifier"]} == {
        (OURS, f"A-{surname}"), (OTHER, f"X-{surname}"),
    }  # fmt: skip
    assert (told["gender"], told["birthDate"], told["active"]) == ("female", "1970-02-01", True)
    latin, chinese = told["name"]
    assert (latin["family"], latin["given"]) == (surname, ["Ada", "Maria"])
    assert (chinese["family"], chinese["text"]) == ("王", "王芳")
    assert surname not in read.headers.get("location", "")
    assert client.get(f"/Patient/{uuid4()}").status_code == 404


def test_domains_narrow_the_identifiers(client: Client, family: tuple[str, list[UUID]]) -> None:
    pairs = [("family", family[0]), ("identifier", f"{OTHER}|")]
    (one,) = fhir.resources(client.get("/Patient", pairs=pairs))
    assert [i["system"] for i in one["identifier"]] == [OTHER]
    unknown = client.get("/Patient", pairs=[("family", family[0]), ("identifier", "urn:oid:1.9|")])
    assert (unknown.status_code, fhir.issue(unknown)["code"]) == (404, "not-found")


def test_pages_name_nobody(client: Client, family: tuple[str, list[UUID]]) -> None:
    answer = client.get("/Patient", family=family[0], _count="1")
    assert answer.json()["total"] == 3
    seen = []
    for _ in range(3):
        (one,) = fhir.resources(answer)
        seen.append(one["id"])
        links = {k["relation"]: k["url"] for k in answer.json()["link"]}
        assert not any(family[0] in url for url in links.values())
        if "next" in links:
            answer = client.get(links["next"].removeprefix(client.base))
    assert sorted(seen) == sorted(map(str, family[1]))
    assert "next" not in links


def test_nothing_asked_is_refused(client: Client) -> None:
    for asked in ({}, {"active": "true"}):
        assert client.get("/Patient", **asked).status_code == 400
    assert fhir.resources(client.get("/Patient", family="nobody-of-this-name")) == []


def test_a_merged_patient_points_at_the_survivor(
    node: Node, client: Client, family: tuple[str, list[UUID]]
) -> None:
    surname, keys = family
    gone, stays = (PatientId(f"{letter}-{surname}", AUTHORITY) for letter in "BC")
    feed(node).merge(gone, stays, Told())
    told = client.get(f"/Patient/{keys[1]}").json()
    get_fhir_model_class("Patient").model_validate(told)
    assert told["active"] is False
    assert told["link"] == [{"other": {"reference": f"Patient/{keys[2]}"}, "type": "replaced-by"}]
    assert found(client, family, family="NAME") == [0, 2]


def test_cross_references_are_told(client: Client, family: tuple[str, list[UUID]]) -> None:
    surname, keys = family
    answer = client.get("/Patient/$ihe-pix", sourceIdentifier=f"{OURS}|A-{surname}")
    get_fhir_model_class("Parameters").model_validate(answer.json())
    told = {p["name"]: p for p in answer.json()["parameter"]}
    identifier = told["targetIdentifier"]["valueIdentifier"]
    assert (identifier["system"], identifier["value"]) == (OTHER, f"X-{surname}")
    assert told["targetId"]["valueReference"]["reference"] == f"Patient/{keys[0]}"

    def named(**asked: str) -> list[str]:
        found = client.get("/Patient/$ihe-pix", **asked).json().get("parameter", [])
        return sorted(p["name"] for p in found)

    source = f"{OTHER}|X-{surname}"
    assert named(sourceIdentifier=source, targetSystem=OURS) == ["targetIdentifier"]
    assert named(sourceIdentifier=source, targetSystem=client.base) == ["targetId"]
    assert named(sourceIdentifier=source, targetSystem=OTHER) == []
    by_id = f"{client.base}|Patient/{keys[0]}"
    assert named(sourceIdentifier=by_id, targetSystem=OTHER) == ["targetIdentifier"]
    posted = client.post(
        "/Patient/$ihe-pix",
        {"resourceType": "Parameters", "parameter": [
            {"name": "sourceIdentifier", "valueString": source},
            {"name": "targetSystem", "valueUri": OURS},
        ]},
    )  # fmt: skip
    assert posted.json()["parameter"][0]["valueIdentifier"]["value"] == f"A-{surname}"
    xml = client.get("/Patient/$ihe-pix", sourceIdentifier=source, _format="xml")
    assert b'<Parameters xmlns="http://hl7.org/fhir"><parameter><name value=' in xml.content


@pytest.mark.parametrize(
    ("asked", "status", "issue"),
    [
        ({}, 400, "required"),
        ({"sourceIdentifier": f"{OURS}|NOBODY"}, 404, "not-found"),
        ({"sourceIdentifier": "urn:oid:1.9|NOBODY"}, 400, "code-invalid"),
        ({"sourceIdentifier": "NOBODY"}, 400, "code-invalid"),
        (
            {"sourceIdentifier": f"{OURS}|P-1001", "targetSystem": "urn:oid:1.9"},
            403,
            "code-invalid",
        ),
    ],
)
def test_pix_fails_as_the_framework_says(
    client: Client, asked: dict[str, str], status: int, issue: str
) -> None:
    answer = client.get("/Patient/$ihe-pix", **asked)
    assert (answer.status_code, fhir.issue(answer)["code"]) == (status, issue)
    assert "NOBODY" not in answer.text


def test_documents_are_filed_and_found_under_another_domains_identifier(
    client: Client, family: tuple[str, list[UUID]]
) -> None:
    surname, keys = family
    who = fhir.subject(f"X-{surname}^^^&{OTHER_AUTHORITY}&ISO")
    assert client.post("", fhir.provide(b"octets", who)).status_code == 200
    (one,) = fhir.resources(
        client.get(
            "/DocumentReference",
            pairs=[("patient.identifier", f"{OTHER}|X-{surname}"), ("status", "current")],
        )
    )
    assert one["subject"]["reference"] == f"Patient/{keys[0]}"
    assert one["subject"]["identifier"]["value"] == f"A-{surname}"


def match(client: Client, patient: fhir.Json, **more: Any) -> list[tuple[str, str]]:
    parameters: list[fhir.Json] = [{"name": "resource", "resource": patient}]
    if "certain" in more:
        parameters.append({"name": "onlyCertainMatches", "valueBoolean": more["certain"]})
    if "count" in more:
        parameters.append({"name": "count", "valueInteger": more["count"]})
    answer = client.post("/Patient/$match", {"resourceType": "Parameters", "parameter": parameters})
    assert answer.status_code == 200, answer.text
    get_fhir_model_class("Bundle").model_validate(answer.json())
    return [
        (e["resource"]["id"], e["search"]["extension"][0]["valueCode"])
        for e in answer.json().get("entry", [])
    ]


def test_match_grades_who_it_may_be(client: Client, family: tuple[str, list[UUID]]) -> None:
    surname, keys = family
    ada = {
        "resourceType": "Patient", "gender": "female", "birthDate": "1970-02-01",
        "name": [{"family": surname, "given": ["Ada"]}],
    }  # fmt: skip
    known = ada | {"identifier": [{"system": OURS, "value": f"A-{surname}"}]}
    assert match(client, known) == [(str(keys[0]), "certain")]
    assert match(client, known, certain=True) == [(str(keys[0]), "certain")]
    assert match(client, ada) == [(str(keys[0]), "probable")]
    assert match(client, ada, certain=True) == []
    assert match(client, ada | {"birthDate": "1971-02-01"}) == [(str(keys[0]), "possible")]
    assert match(client, ada | {"name": [{"family": "nobody", "given": ["Ada"]}]}) == []
    assert match(client, known, count=0) == []
    assert client.post("/Patient/$match", {"resourceType": "Parameters"}).status_code == 400
    assert client.post("/Patient/$match", fhir.submission_set({})).status_code == 400
