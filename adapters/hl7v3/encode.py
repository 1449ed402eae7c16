"""What is answered -> HL7 v3 messages: acknowledgements, registration events, query answers.

Implements the wrappers of ITI TF-2 Appendix O.1, MCCI_IN000002UV01 (3.44.4.2),
PRPA_IN201310UV02 (3.45.4.2) and PRPA_IN201306UV02 (3.47.4.2). Pure; text is built directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid4

from lxml import etree

from adapters.hl7v3.decode import Identifier, Message
from adapters.hl7v3.faults import Detail
from adapters.hl7v3.names import ACKNOWLEDGED, GENDER, HL7, INTERACTIONS, TABLE_0357
from adapters.soap.names import escaped
from kernel.identifiers import PatientId
from kernel.times import dtm
from projections.patient_index.view import PatientRow

_SEXES: Final = {"M": "M", "F": "F", "O": "UN"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who answers, when."""

    device: str
    """OID of our sending device."""
    moment: datetime


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The control act of a query's answer."""

    interaction: str
    subjects: Sequence[str]
    outcome: str
    """queryResponseCode: OK, NF (nothing found), AE (error)."""
    remaining: int | None = None
    """How many are left for later; None where the transaction does not page."""
    details: Sequence[Detail] = ()


def acknowledgement(
    request: Message, envelope: Envelope, code: str, details: Iterable[Detail] = ()
) -> str:
    """Return MCCI_IN000002UV01: `code` is CA (taken) or CE (refused)."""
    return _wrapped(ACKNOWLEDGED, request, envelope, code, details, "")


def query_answer(request: Message, envelope: Envelope, answer: QueryAnswer) -> str:
    """Return the answer to a query, which repeats the query's parameters."""
    asked = request.path("queryByParameter")
    repeated = "" if asked is None else etree.tostring(asked, encoding="unicode", with_tail=False)
    query_id = None if asked is None else asked.find(f"{{{HL7}}}queryId")
    counts = ""
    if answer.remaining is not None:
        here = len(answer.subjects)
        counts = (
            f'<resultCurrentQuantity value="{here}"/>'
            f'<resultRemainingQuantity value="{answer.remaining}"/>'
        )
    event = answer.interaction.replace("_IN", "_TE")
    act = (
        '<controlActProcess classCode="CACT" moodCode="EVN">'
        f'<code code="{event}" codeSystem="{INTERACTIONS}"/>'
        f"{''.join(answer.subjects)}"
        f"<queryAck>{_query_id(query_id)}"
        f'<statusCode code="{"aborted" if answer.outcome == "AE" else "deliveredResponse"}"/>'
        f'<queryResponseCode code="{answer.outcome}"/>{counts}</queryAck>'
        f"{repeated}</controlActProcess>"
    )
    code = "AE" if answer.outcome == "AE" else "AA"
    return _wrapped(answer.interaction, request, envelope, code, answer.details, act)


def cross_reference(rows: Sequence[PatientRow], custodian: str) -> str:
    """Return the subject of PRPA_IN201310UV02: identifiers, and no name."""
    return _subject(rows, '<name nullFlavor="NA"/>', "", custodian)


def demographics(told: PatientRow, rows: Sequence[PatientRow], custodian: str) -> str:
    """Return a subject of PRPA_IN201306UV02: a patient with what was told of him."""
    person = _names(told)
    if told.telephone:
        person += f'<telecom value="tel:{escaped(told.telephone)}"/>'
    if told.sex:
        code = _SEXES.get(told.sex, "UN")
        person += f'<administrativeGenderCode code="{code}" codeSystem="{GENDER}"/>'
    if told.birth_date:
        person += f'<birthTime value="{escaped(told.birth_date)}"/>'
    if told.address:
        line = escaped(told.address)
        person += f"<addr><streetAddressLine>{line}</streetAddressLine></addr>"
    match = (
        '<subjectOf1><queryMatchObservation classCode="OBS" moodCode="EVN">'
        '<code code="IHE_PDQ"/><value xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:type="INT" value="100"/></queryMatchObservation></subjectOf1>'
    )
    return _subject(rows, person, match, custodian)


def _subject(rows: Sequence[PatientRow], person: str, beside: str, custodian: str) -> str:
    ids = "".join(_patient_id(row.patient_id) for row in rows) or '<id nullFlavor="NA"/>'
    provider = rows[0].authority if rows else custodian
    return (
        '<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN">'
        '<id nullFlavor="NA"/><statusCode code="active"/><subject1 typeCode="SBJ">'
        f'<patient classCode="PAT">{ids}<statusCode code="active"/>'
        f'<patientPerson classCode="PSN" determinerCode="INSTANCE">{person}</patientPerson>'
        '<providerOrganization classCode="ORG" determinerCode="INSTANCE">'
        f'<id root="{provider}"/><contactParty classCode="CON"/></providerOrganization>'
        f"{beside}</patient></subject1>"
        '<custodian typeCode="CST"><assignedEntity classCode="ASSIGNED">'
        f'<id root="{custodian}"/></assignedEntity></custodian>'
        "</registrationEvent></subject>"
    )


def _patient_id(text: str) -> str:
    one = PatientId.parse(text)
    return f'<id root="{escaped(one.authority)}" extension="{escaped(one.id)}"/>'


def _names(row: PatientRow) -> str:
    names = ""
    for group, use in zip(row.name.split("="), ("ABC", "IDE", "SYL"), strict=False):
        if group:
            family, given, middle, prefix, suffix = (*group.split("^"), "", "", "", "", "")[:5]
            parts = (
                ("prefix", prefix), ("given", given), ("given", middle), ("family", family),
                ("suffix", suffix),
            )  # fmt: skip
            told = "".join(f"<{tag}>{escaped(text)}</{tag}>" for tag, text in parts if text)
            names += f'<name use="L {use}">{told}</name>'
    return names or '<name nullFlavor="UNK"/>'


def _query_id(element: etree._Element | None) -> str:
    if element is None:
        return '<queryId nullFlavor="UNK"/>'
    return _identifier("queryId", Identifier(element.get("root", ""), element.get("extension", "")))


def _identifier(tag: str, one: Identifier) -> str:
    if not one.root:
        return f'<{tag} nullFlavor="UNK"/>'
    extension = f' extension="{escaped(one.extension)}"' if one.extension else ""
    return f'<{tag} root="{escaped(one.root)}"{extension}/>'


def _wrapped(
    interaction: str,
    request: Message,
    envelope: Envelope,
    code: str,
    details: Iterable[Detail],
    act: str,
) -> str:
    said = "".join(
        '<acknowledgementDetail typeCode="E">'
        f'<code code="{detail.code}" codeSystem="{TABLE_0357}"/>'
        f"<text>{escaped(detail.text)}</text>"
        + (f"<location>{escaped(detail.location)}</location>" if detail.location else "")
        + "</acknowledgementDetail>"
        for detail in details
    )
    return (
        f'<{interaction} xmlns="{HL7}" ITSVersion="XML_1.0">'
        f'<id root="{uuid4()}"/><creationTime value="{dtm(envelope.moment)}"/>'
        f'<interactionId root="{INTERACTIONS}" extension="{interaction}"/>'
        '<processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="NE"/>'
        f"{_device('receiver', 'RCV', request.sender)}"
        f"{_device('sender', 'SND', Identifier(envelope.device))}"
        f'<acknowledgement><typeCode code="{code}"/>'
        f"<targetMessage>{_identifier('id', request.identifier)}</targetMessage>{said}"
        f"</acknowledgement>{act}</{interaction}>"
    )


def _device(tag: str, kind: str, one: Identifier) -> str:
    return (
        f'<{tag} typeCode="{kind}"><device classCode="DEV" determinerCode="INSTANCE">'
        f"{_identifier('id', one)}</device></{tag}>"
    )
