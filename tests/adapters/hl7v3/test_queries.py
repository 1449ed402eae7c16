"""ITI-45 and ITI-47: cross-references and demographics by HL7 v3 (ITI TF-2 3.45, 3.47)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support import hl7v3
from tests.support.soap import SoapClient

AFFINITY, WARD = "1.2.250.99.1", "1.2.250.99.7"
ADD, FIND, PIX = "PRPA_IN201301UV02", "PRPA_IN201305UV02", "PRPA_IN201309UV02"
GO_ON = "QUQI_IN000003UV01"


@pytest.fixture
def ward(client: SoapClient) -> SoapClient:
    for number in range(7):
        ids = [(AFFINITY, f"Q{number}"), *([(WARD, f"W{number}")] if number < 3 else [])]
        told = hl7v3.person("Sample", f"Given{number}", born=f"1980010{number + 1}")
        assert hl7v3.ack(hl7v3.send(client, ADD, hl7v3.registration(ids, told))) == "CA"
    return client


def pix(
    client: SoapClient, one: hl7v3.Id, *sources: str
) -> tuple[str, str, list[str], set[hl7v3.Id]]:
    answer = hl7v3.send(client, PIX, hl7v3.pix_query(one, sources))
    ids = {x for patient in hl7v3.patients(answer) for x in hl7v3.ids_of(patient)}
    return hl7v3.ack(answer), hl7v3.outcome(answer), [c for c, _ in hl7v3.details(answer)], ids


def test_the_cases_of_the_pix_query(ward: SoapClient) -> None:
    assert pix(ward, (AFFINITY, "Q0")) == ("AA", "OK", [], {(WARD, "W0")})
    assert pix(ward, (AFFINITY, "Q0"), WARD) == ("AA", "OK", [], {(WARD, "W0")})
    assert pix(ward, (AFFINITY, "Q5")) == ("AA", "NF", [], set())
    assert pix(ward, (AFFINITY, "Q0"), AFFINITY) == ("AA", "NF", [], set())
    assert pix(ward, (AFFINITY, "nobody")) == ("AE", "AE", ["204"], set())
    assert pix(ward, ("1.2.3.99", "Q0")) == ("AE", "AE", ["204"], set())
    assert pix(ward, (AFFINITY, "Q0"), "1.2.3.99") == ("AE", "AE", ["204"], set())
    assert pix(ward, ("1.2.3.99", "Q0"), "1.2.3.98") == ("AE", "AE", ["204", "204"], set())


def test_an_error_of_the_pix_query_names_its_place(ward: SoapClient) -> None:
    answer = hl7v3.send(ward, PIX, hl7v3.pix_query((AFFINITY, "Q0"), (WARD, "1.2.3.99")))

    at = "/PRPA_IN201309UV02/controlActProcess/queryByParameter/parameterList"
    assert hl7v3.details(answer) == [("204", f"{at}/dataSource[2]/value")]


def test_the_answer_repeats_the_question(ward: SoapClient) -> None:
    query_id = str(uuid4())
    answer = hl7v3.send(ward, FIND, hl7v3.pdq(hl7v3.by_name("Sample", "Given4"), query_id=query_id))

    assert answer.action == "urn:hl7-org:v3:PRPA_IN201306UV02"
    acts = answer.body.find("h:controlActProcess", hl7v3.NAMES)
    assert acts is not None
    assert acts.find("h:queryAck/h:queryId", hl7v3.NAMES).get("root") == query_id
    repeated = acts.find("h:queryByParameter", hl7v3.NAMES)
    assert repeated.find("h:queryId", hl7v3.NAMES).get("root") == query_id
    assert repeated.findtext(".//h:family", "", hl7v3.NAMES) == "Sample"
    (patient,) = hl7v3.patients(answer)
    assert hl7v3.ids_of(patient) == {(AFFINITY, "Q4")}
    born = patient.find("h:patientPerson/h:birthTime", hl7v3.NAMES)
    assert born.get("value") == "19800105"


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        (hl7v3.by_name("sample"), 7),
        (hl7v3.by_name("Sam"), 0),
        (hl7v3.by_name("Sam", use="SRCH"), 7),
        (hl7v3.by_name("Sam*"), 7),
        (hl7v3.by_name("", "Given3"), 1),
        (hl7v3.by_name("Nobody"), 0),
        ('<livingSubjectBirthTime><value value="19800102"/></livingSubjectBirthTime>', 1),
        (
            (
                '<livingSubjectBirthTime><value><low value="19800101"/><high value="19801231"/>'
                "</value></livingSubjectBirthTime>"
            ),
            7,
        ),
        (
            hl7v3.by_name("Sample")
            + '<livingSubjectAdministrativeGender><value code="M"/></livingSubjectAdministrativeGender>',
            0,
        ),
        (f'<livingSubjectId><value root="{WARD}" extension="W1"/></livingSubjectId>', 1),
        (
            hl7v3.by_name("Sample")
            + f'<otherIDsScopingOrganization><value root="{WARD}"/></otherIDsScopingOrganization>',
            3,
        ),
    ],
)
def test_demographics_select(ward: SoapClient, parameters: str, count: int) -> None:
    answer = hl7v3.send(ward, FIND, hl7v3.pdq(parameters))

    assert hl7v3.ack(answer) == "AA"
    assert len(hl7v3.patients(answer)) == count
    assert hl7v3.outcome(answer) == ("OK" if count else "NF")


def test_only_identifiers_of_the_domain_asked_for_come(ward: SoapClient) -> None:
    scope = f'<otherIDsScopingOrganization><value root="{WARD}"/></otherIDsScopingOrganization>'
    answer = hl7v3.send(ward, FIND, hl7v3.pdq(hl7v3.by_name("Sample", "Given1") + scope))

    (patient,) = hl7v3.patients(answer)
    assert hl7v3.ids_of(patient) == {(WARD, "W1")}


def test_a_query_goes_on_until_all_have_come(ward: SoapClient) -> None:
    query_id = str(uuid4())
    answer = hl7v3.send(
        ward, FIND, hl7v3.pdq(hl7v3.by_name("Sample"), quantity=3, query_id=query_id)
    )
    seen = [hl7v3.ids_of(one) for one in hl7v3.patients(answer)]
    left = [hl7v3.remaining(answer)]
    while hl7v3.remaining(answer) != "0":
        answer = hl7v3.send(ward, GO_ON, hl7v3.go_on(query_id, 2), action=f"{GO_ON}_Continue")
        assert hl7v3.ack(answer) == "AA"
        seen += [hl7v3.ids_of(one) for one in hl7v3.patients(answer)]
        left.append(hl7v3.remaining(answer))

    assert left == ["4", "2", "0"]
    assert len(seen) == 7
    assert len({tuple(sorted(ids)) for ids in seen}) == 7
    over = hl7v3.send(ward, GO_ON, hl7v3.go_on(query_id), action=f"{GO_ON}_Continue")
    assert hl7v3.ack(over) == "AE"


def test_a_cancelled_query_does_not_go_on(ward: SoapClient) -> None:
    query_id = str(uuid4())
    hl7v3.send(ward, FIND, hl7v3.pdq(hl7v3.by_name("Sample"), quantity=3, query_id=query_id))

    cancelled = hl7v3.send(ward, GO_ON, hl7v3.go_on(query_id), action=f"{GO_ON}_Cancel")
    assert cancelled.body.tag == f"{{{hl7v3.HL7}}}MCCI_IN000002UV01"
    assert hl7v3.ack(cancelled) == "CA"

    answer = hl7v3.send(ward, GO_ON, hl7v3.go_on(query_id), action=f"{GO_ON}_Continue")
    assert (hl7v3.ack(answer), hl7v3.outcome(answer)) == ("AE", "AE")
    assert hl7v3.details(answer)[0][0] == "204"


@pytest.mark.parametrize(
    ("act", "code"),
    [
        ("", "101"),
        (hl7v3.pdq(""), "101"),
        (
            hl7v3.pdq('<livingSubjectId><value root="1.2.3.99" extension="1"/></livingSubjectId>'),
            "204",
        ),
        (
            hl7v3.pdq(
                hl7v3.by_name("A")
                + '<otherIDsScopingOrganization><value root="1.2.3.99"/></otherIDsScopingOrganization>'
            ),
            "204",
        ),
        (hl7v3.pdq('<livingSubjectBirthTime><value value="x"/></livingSubjectBirthTime>'), "102"),
        (
            hl7v3.pdq(
                '<livingSubjectBirthTime><value><low value="1980"/><high value="1999"/></value>'
                "</livingSubjectBirthTime>"
            ),
            "102",
        ),
        (
            hl7v3.pdq(hl7v3.by_name("A")).replace(
                'code="I"/>', 'code="I"/><initialQuantity value="-1"/>'
            ),
            "102",
        ),
        (
            hl7v3.pdq(hl7v3.by_name("A")).replace(
                'code="I"/>', f'code="I"/><initialQuantity value="{"9" * 5000}"/>'
            ),
            "102",
        ),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(
    client: SoapClient, act: str, code: str
) -> None:
    answer = hl7v3.send(client, FIND, act)

    assert (hl7v3.ack(answer), hl7v3.outcome(answer)) == ("AE", "AE")
    assert [told for told, _ in hl7v3.details(answer)] == [code]
