"""ITI-44: patients added, revised and merged by HL7 v3 (ITI TF-2 3.44)."""

from __future__ import annotations

import pytest

from tests.support import hl7v3
from tests.support.soap import SoapClient

AFFINITY, WARD = "1.2.250.99.1", "1.2.250.99.7"
ADD, REVISE, MERGE = "PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02"
FIND, PIX = "PRPA_IN201305UV02", "PRPA_IN201309UV02"


def add(client: SoapClient, number: str, family: str, *more: hl7v3.Id) -> None:
    act = hl7v3.registration([(AFFINITY, number), *more], hl7v3.person(family, "Ada"))
    assert hl7v3.ack(hl7v3.send(client, ADD, act)) == "CA"


def names_of(client: SoapClient, number: str) -> list[str]:
    parameters = (
        f'<livingSubjectId><value root="{AFFINITY}" extension="{number}"/>'
        "<semanticsText>LivingSubject.id</semanticsText></livingSubjectId>"
    )
    return [
        hl7v3.family_of(one)
        for one in hl7v3.patients(hl7v3.send(client, FIND, hl7v3.pdq(parameters)))
    ]


def test_a_patient_is_added_and_revised(client: SoapClient) -> None:
    answer = hl7v3.send(
        client, ADD, hl7v3.registration([(AFFINITY, "V1")], hl7v3.person("Example", "Ada"))
    )
    assert answer.body.tag == f"{{{hl7v3.HL7}}}MCCI_IN000002UV01"
    assert answer.action == "urn:hl7-org:v3:MCCI_IN000002UV01"
    assert answer.relates_to == answer.message_id
    assert hl7v3.ack(answer) == "CA"
    assert names_of(client, "V1") == ["Example"]

    act = hl7v3.registration([(AFFINITY, "V1")], "<name><family>Muster</family></name>")
    assert hl7v3.ack(hl7v3.send(client, REVISE, act)) == "CA"
    assert names_of(client, "V1") == ["Muster"]


def test_prefixed_names_say_the_same(client: SoapClient) -> None:
    act = hl7v3.registration([(AFFINITY, "V2")], hl7v3.person("Prefix", "Ada"))

    assert hl7v3.ack(hl7v3.send(client, ADD, act, prefix="v3")) == "CA"
    assert names_of(client, "V2") == ["Prefix"]


def test_identifiers_of_two_domains_are_cross_referenced(client: SoapClient) -> None:
    add(client, "V3", "Example", (WARD, "W3"))

    answer = hl7v3.send(client, PIX, hl7v3.pix_query((WARD, "W3")))

    (patient,) = hl7v3.patients(answer)
    assert hl7v3.ids_of(patient) == {(AFFINITY, "V3")}


def test_an_identifier_beside_the_person_counts(client: SoapClient) -> None:
    other = f'<asOtherIDs classCode="PAT"><id root="{WARD}" extension="W4"/></asOtherIDs>'
    act = hl7v3.registration([(AFFINITY, "V4")], hl7v3.person("Example", "Ada", more=other))
    assert hl7v3.ack(hl7v3.send(client, ADD, act)) == "CA"

    (patient,) = hl7v3.patients(hl7v3.send(client, PIX, hl7v3.pix_query((AFFINITY, "V4"))))
    assert hl7v3.ids_of(patient) == {(WARD, "W4")}


def test_a_merged_identifier_is_nobodys_any_more(client: SoapClient) -> None:
    add(client, "V5", "Old")
    add(client, "V6", "New")

    act = hl7v3.registration(
        [(AFFINITY, "V6")], hl7v3.person("New", "Ada"), prior=[(AFFINITY, "V5")]
    )
    assert hl7v3.ack(hl7v3.send(client, MERGE, act)) == "CA"

    assert names_of(client, "V5") == []
    assert names_of(client, "V6") == ["New"]
    answer = hl7v3.send(client, PIX, hl7v3.pix_query((AFFINITY, "V5")))
    assert hl7v3.ack(answer) == "AE"
    assert hl7v3.ack(hl7v3.send(client, MERGE, act)) == "CA", "a repeated merge does no harm"


def test_chinese_names_keep_their_groups(client: SoapClient) -> None:
    told = (
        '<name use="IDE"><family>王</family><given>小东</given></name>'
        '<name use="ABC"><family>Wang</family><given>Xiaodong</given></name>'
        '<administrativeGenderCode code="M"/>'
    )
    act = hl7v3.registration([(AFFINITY, "V7")], told)
    assert hl7v3.ack(hl7v3.send(client, ADD, act)) == "CA"

    for family in ("王", "Wang"):
        answer = hl7v3.send(client, FIND, hl7v3.pdq(hl7v3.by_name(family)))
        (patient,) = hl7v3.patients(answer)
        assert hl7v3.ids_of(patient) == {(AFFINITY, "V7")}
        names = patient.findall("h:patientPerson/h:name", hl7v3.NAMES)
        assert [name.findtext("h:family", "", hl7v3.NAMES) for name in names] == ["Wang", "王"]


def test_identifiers_in_items_are_read(client: SoapClient) -> None:
    act = hl7v3.registration([(AFFINITY, "V8")], hl7v3.person("Items", "Ada")).replace(
        f'<id root="{AFFINITY}" extension="V8"/>',
        f'<id><item root="{AFFINITY}" extension="V8"/></id>',
    )

    assert hl7v3.ack(hl7v3.send(client, ADD, act)) == "CA"
    assert names_of(client, "V8") == ["Items"]


@pytest.mark.parametrize(
    ("act", "code", "where"),
    [
        ("", "101", "/patient"),
        (hl7v3.registration([], hl7v3.person("A", "B")), "101", "/patient/id"),
        (hl7v3.registration([("1.2.3.99", "X")], hl7v3.person("A", "B")), "204", "/patient/id"),
        (
            hl7v3.registration([(AFFINITY, "B1")], '<birthTime value="next May"/>'),
            "102",
            "/patientPerson/birthTime",
        ),
        (
            hl7v3.registration([(AFFINITY, "B2")], '<administrativeGenderCode code="Q"/>'),
            "102",
            "/administrativeGenderCode",
        ),
        (hl7v3.registration([(AFFINITY, "B^3")], hl7v3.person("A", "B")), "102", "/patient/id"),
        (
            hl7v3.registration([(AFFINITY, "B4"), (AFFINITY, "B5")], hl7v3.person("A", "B")),
            "102",
            "/patient/id",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    client: SoapClient, act: str, code: str, where: str
) -> None:
    answer = hl7v3.send(client, ADD, act)

    assert answer.http_status == 200
    assert hl7v3.ack(answer) == "CE"
    ((told, location),) = hl7v3.details(answer)
    assert told == code
    assert location.endswith(where)
    assert location.startswith("/PRPA_IN201301UV02/controlActProcess")


def test_a_merge_needs_the_prior_registration_and_a_common_domain(client: SoapClient) -> None:
    alone = hl7v3.registration([(AFFINITY, "B6")], hl7v3.person("A", "B"))
    apart = hl7v3.registration([(AFFINITY, "B7")], hl7v3.person("A", "B"), prior=[(WARD, "B8")])

    assert hl7v3.details(hl7v3.send(client, MERGE, alone))[0][0] == "101"
    assert hl7v3.details(hl7v3.send(client, MERGE, apart))[0][0] == "204"


def test_another_body_than_the_action_says_is_a_fault(client: SoapClient) -> None:
    answer = hl7v3.send(client, FIND, hl7v3.pdq(hl7v3.by_name("A")), action=ADD)

    assert answer.is_fault
    assert ADD in answer.text()


def test_no_personal_data_come_back_in_a_refusal(client: SoapClient) -> None:
    act = hl7v3.registration([("1.2.3.99", "SECRET-ID")], hl7v3.person("Geheim", "Ada"))

    said = hl7v3.send(client, ADD, act).text()

    assert "SECRET-ID" not in said
    assert "Geheim" not in said
