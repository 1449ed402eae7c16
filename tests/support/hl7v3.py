"""A patient registry and a PIX/PDQ consumer of another vendor: HL7 v3 written by hand.

ITI TF-2 3.44, 3.45, 3.47. Called by the tests of adapters/hl7v3 and by the walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import uuid4

from lxml import etree

from tests.support.soap import Answer, SoapClient

HL7: Final = "urn:hl7-org:v3"
NAMES: Final = {"h": HL7}
Id = tuple[str, str]
"""root, extension."""


def send(
    client: SoapClient, interaction: str, act: str, *, action: str = "", prefix: str = ""
) -> Answer:
    """Send an interaction whose control act is `act`; with `prefix` in another spelling."""
    body = (
        f'<{interaction} xmlns="{HL7}" ITSVersion="XML_1.0"><id root="{uuid4()}" extension="7"/>'
        f'<creationTime value="20260102030405"/>'
        f'<interactionId root="2.16.840.1.113883.1.6" extension="{interaction}"/>'
        f'<processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="AL"/>'
        f'<receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE">'
        f'<id root="2.25.91"/></device></receiver>'
        f'<sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE">'
        f'<id root="2.25.92"/></device></sender>'
        f'<controlActProcess classCode="CACT" moodCode="EVN">{act}</controlActProcess>'
        f"</{interaction}>"
    )
    if prefix:
        body = body.replace("</", "\0").replace("<", f"<{prefix}:").replace("\0", f"</{prefix}:")
        body = body.replace("xmlns=", f"xmlns:{prefix}=")
    return client.call("/hl7v3", f"{HL7}:{action or interaction}", body)


def registration(ids: Iterable[Id], person: str, prior: Iterable[Id] = ()) -> str:
    """Return the control act of ITI-44; with `prior` one that replaces these identifiers."""
    replaced = "".join(
        '<replacementOf typeCode="RPLC"><priorRegistration classCode="REG" moodCode="EVN">'
        '<statusCode code="obsolete"/><subject1 typeCode="SBJ">'
        f'<priorRegisteredRole classCode="PAT">{_id(one)}</priorRegisteredRole>'
        "</subject1></priorRegistration></replacementOf>"
        for one in prior
    )
    return (
        '<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">'
        '<id nullFlavor="NA"/><statusCode code="active"/><subject1 typeCode="SBJ">'
        f'<patient classCode="PAT">{"".join(map(_id, ids))}<statusCode code="active"/>'
        f'<patientPerson classCode="PSN" determinerCode="INSTANCE">{person}</patientPerson>'
        "</patient></subject1>"
        '<custodian typeCode="CST"><assignedEntity classCode="ASSIGNED"><id root="2.25.92"/>'
        f"</assignedEntity></custodian>{replaced}</registrationEvent></subject>"
    )


def person(family: str, given: str, born: str = "19700203", sex: str = "F", more: str = "") -> str:
    """Return the inside of a patientPerson."""
    return (
        f"<name><given>{given}</given><family>{family}</family></name>{more}"
        f'<administrativeGenderCode code="{sex}"/><birthTime value="{born}"/>'
    )


def pix_query(one: Id, sources: Sequence[str] = ()) -> str:
    """Return the control act of ITI-45."""
    wanted = "".join(
        f'<dataSource><value root="{oid}"/><semanticsText>DataSource.id</semanticsText>'
        "</dataSource>"
        for oid in sources
    )
    return _query(
        f"{wanted}<patientIdentifier>{_id(one, 'value')}"
        "<semanticsText>Patient.id</semanticsText></patientIdentifier>"
    )


def pdq(parameters: str, *, quantity: int = 0, query_id: str = "") -> str:
    """Return the control act of ITI-47."""
    return _query(parameters, quantity=quantity, query_id=query_id)


def by_name(family: str, given: str = "", use: str = "") -> str:
    """Return the parameter livingSubjectName."""
    told = f"<given>{given}</given>" if given else ""
    told += f"<family>{family}</family>" if family else ""
    as_use = f' use="{use}"' if use else ""
    return (
        f"<livingSubjectName><value{as_use}>{told}</value>"
        "<semanticsText>LivingSubject.name</semanticsText></livingSubjectName>"
    )


def go_on(query_id: str, quantity: int = 0) -> str:
    """Return the control act of QUQI_IN000003UV01."""
    wanted = f'<continuationQuantity value="{quantity}"/>' if quantity else ""
    return (
        f'<queryContinuation><queryId root="{query_id}"/>{wanted}'
        '<statusCode code="waitContinuedQueryResponse"/></queryContinuation>'
    )


def ack(answer: Answer) -> str:
    """Return the acknowledgement's code."""
    return _value(answer, "h:acknowledgement/h:typeCode/@code")


def outcome(answer: Answer) -> str:
    """Return the queryResponseCode."""
    return _value(answer, "h:controlActProcess/h:queryAck/h:queryResponseCode/@code")


def remaining(answer: Answer) -> str:
    """Return resultRemainingQuantity."""
    return _value(answer, "h:controlActProcess/h:queryAck/h:resultRemainingQuantity/@value")


def details(answer: Answer) -> list[tuple[str, str]]:
    """Return code and location of each acknowledgementDetail."""
    found = answer.body.findall("h:acknowledgement/h:acknowledgementDetail", NAMES)
    return [
        (one.find("h:code", NAMES).get("code", ""), one.findtext("h:location", "", NAMES))
        for one in found
    ]


def patients(answer: Answer) -> list[etree._Element]:
    """Return the patients of an answer."""
    return answer.body.findall(
        "h:controlActProcess/h:subject/h:registrationEvent/h:subject1/h:patient", NAMES
    )


def ids_of(patient: etree._Element) -> set[Id]:
    """Return a patient's identifiers."""
    return {
        (one.get("root", ""), one.get("extension", ""))
        for one in patient.findall("h:id", NAMES)
        if one.get("extension")
    }


def family_of(patient: etree._Element) -> str:
    """Return a patient's family name."""
    return patient.findtext("h:patientPerson/h:name/h:family", "", NAMES)


def _query(parameters: str, *, quantity: int = 0, query_id: str = "") -> str:
    wanted = f'<initialQuantity value="{quantity}"/>' if quantity else ""
    return (
        f'<queryByParameter><queryId root="{query_id or uuid4()}"/><statusCode code="new"/>'
        f'<responseModalityCode code="R"/><responsePriorityCode code="I"/>{wanted}'
        f"<parameterList>{parameters}</parameterList></queryByParameter>"
    )


def _id(one: Id, tag: str = "id") -> str:
    return f'<{tag} root="{one[0]}" extension="{one[1]}"/>'


def _value(answer: Answer, path: str) -> str:
    found = answer.body.xpath(path, namespaces=NAMES)
    return str(found[0]) if found else ""
