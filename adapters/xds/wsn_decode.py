"""Messages of WS-BaseNotification -> values: subscriptions with their filters, publications.

Implements ITI TF-2 3.52.4.1.2, 3.52.5 and 3.54.4.1.2. Pure; called by ITI-52 and ITI-54. Raises
SoapFault for what is no valid message, the refusals of `registry.subscriptions` for the rest.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from lxml import etree

from adapters.soap.faults import SoapFault
from adapters.soap.names import WSA
from adapters.xds import decode_objects, names, wsn_names
from adapters.xds.ebrim import EbrimObject, Ids
from adapters.xds.stored_query import StoredQuery
from adapters.xds.validation import complaint, validate
from kernel.refusals import Invalid
from projections.document_index.filters import TimeRange
from registry.documents.refusals import MetadataInvalid
from registry.documents.values import STABLE, Status
from registry.subscriptions.refusals import (
    FilterInvalid,
    PolicyRequestUnsupported,
    PublicationEmpty,
    SubscriptionUnknown,
    TopicDialectUnknown,
    TopicNotSupported,
)
from registry.subscriptions.values import Asked, Criteria, DocumentLike, Kind, Span, Topic

_WSNT: Final = f"{{{wsn_names.WSNT}}}"
_ADDRESS: Final = f"{{{WSA}}}Address"
_REFERENCE_PARAMETERS: Final = f"{{{WSA}}}ReferenceParameters"
_QUERY: Final = f"{{{names.RIM}}}AdhocQuery"
_SLOT: Final = f"{{{names.RIM}}}Slot"
_LIST: Final = f"{{{names.RIM}}}RegistryObjectList"
_NIL: Final = f"{{{wsn_names.XSI}}}nil"
_DOCUMENT: Final = "$XDSDocumentEntry"
_SET: Final = "$XDSSubmissionSet"
_FOLDER: Final = "$XDSFolder"
_PARAMETERS: Final = {
    Kind.DOCUMENT: frozenset(
        f"{_DOCUMENT}{name}"
        for name in (
            "PatientId", "ClassCode", "TypeCode", "ReferenceIdList", "PracticeSettingCode",
            "HealthcareFacilityTypeCode", "EventCodeList", "ConfidentialityCode", "FormatCode",
            "AuthorPerson", "Type", "Status", "CreationTimeFrom", "CreationTimeTo",
            "ServiceStartTimeFrom", "ServiceStartTimeTo", "ServiceStopTimeFrom",
            "ServiceStopTimeTo",
        )
    ),
    Kind.SUBMISSION_SET: frozenset(
        f"{_SET}{name}"
        for name in (
            "PatientId", "SourceId", "Author", "AuthorPerson", "IntendedRecipient",
            "ContentType", "Status", "SubmissionTimeFrom", "SubmissionTimeTo",
        )
    ),
    Kind.FOLDER: frozenset(
        f"{_FOLDER}{name}" for name in ("PatientId", "UniqueId", "CodeList", "Status")
    ),
}  # fmt: skip
_AT_LEAST_ONE: Final = {
    Kind.DOCUMENT: tuple(
        f"{_DOCUMENT}{name}"
        for name in ("ClassCode", "TypeCode", "PracticeSettingCode", "HealthcareFacilityTypeCode")
    ),
    Kind.SUBMISSION_SET: tuple(
        f"{_SET}{name}" for name in ("SourceId", "Author", "AuthorPerson", "IntendedRecipient")
    ),
}
"""What a patient-independent filter must narrow (3.52.5.2.4, 3.52.5.2.5)."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What an ITI-54 message tells."""

    producer: str
    objects: tuple[DocumentLike, ...]


def subscribe_request(body: etree._Element) -> Asked:
    """Return the subscription that a wsnt:Subscribe asks for."""
    _valid(body, "Subscribe")
    reference = body.find(f"{_WSNT}ConsumerReference")
    assert reference is not None
    parameters = reference.find(_REFERENCE_PARAMETERS)
    if parameters is not None and len(parameters):
        raise PolicyRequestUnsupported("reference parameters of a consumer are not sent along")
    policy = body.find(f"{_WSNT}SubscriptionPolicy")
    if policy is not None and len(policy):
        raise PolicyRequestUnsupported
    filtered = body.find(f"{_WSNT}Filter")
    if filtered is None:
        raise FilterInvalid("a subscription needs a wsnt:Filter")
    topic = _topic(filtered)
    return Asked(
        topic=topic,
        consumer=(reference.findtext(_ADDRESS) or "").strip(),
        criteria=_criteria(filtered),
        termination=_time(body.find(f"{_WSNT}InitialTerminationTime")),
    )


def renew_request(body: etree._Element) -> str:
    """Return the TerminationTime that a wsnt:Renew asks for; empty: as long as possible."""
    _valid(body, "Renew")
    return _time(body.find(f"{_WSNT}TerminationTime"))


def unsubscribe_request(body: etree._Element) -> None:
    """Check a wsnt:Unsubscribe; which subscription is told by the address it came to."""
    _valid(body, "Unsubscribe")


def subscription_of(address: str) -> UUID:
    """Return the subscription that is managed at an address; raises SubscriptionUnknown."""
    try:
        return UUID(address.rstrip("/").rpartition("/")[2])
    except ValueError:
        raise SubscriptionUnknown from None


def publication(body: etree._Element) -> Publication:
    """Return what a wsnt:Notify of a Document Metadata Publisher tells."""
    _valid(body, "Notify")
    messages = body.findall(f"{_WSNT}NotificationMessage")
    if len(messages) != 1:
        raise MetadataInvalid(
            "a publication has exactly one NotificationMessage", attribute="NotificationMessage"
        )
    submit = messages[0].find(f"{_WSNT}Message/{{{names.LCM}}}SubmitObjectsRequest")
    if submit is None:
        raise PublicationEmpty("wsnt:Message must hold an lcm:SubmitObjectsRequest")
    wrong = complaint(submit, "lcm.xsd")
    if wrong:
        raise MetadataInvalid(wrong, attribute="SubmitObjectsRequest")
    producer = messages[0].findtext(f"{_WSNT}ProducerReference/{_ADDRESS}") or ""
    return Publication(producer.strip(), _objects(submit))


def _objects(submit: etree._Element) -> tuple[DocumentLike, ...]:
    listed = submit.find(_LIST)
    assert listed is not None
    children = [child for child in listed if child.get("id")]
    ids = Ids((child.get("id", "").strip() for child in children), iter(uuid4, None))
    found: list[DocumentLike] = []
    for child in children:
        name = etree.QName(child).localname
        if name == "ExtrinsicObject":
            entry = EbrimObject(child, "DocumentEntry")
            found.append(decode_objects.document_entry(entry, ids))
        elif name == "RegistryPackage":
            package = EbrimObject(child, "RegistryPackage")
            kinds = {*package.nodes, *_nodes_beside(listed, child)}
            if kinds == {names.SUBMISSION_SET}:
                found.append(decode_objects.submission_set(package, ids))
            elif kinds == {names.FOLDER}:
                found.append(decode_objects.folder(package, ids))
            else:
                raise package.refusal(
                    "Classification", "must say whether it is a SubmissionSet or a Folder"
                )
    return tuple(found)


def _nodes_beside(listed: etree._Element, package: etree._Element) -> list[str]:
    return [
        child.get("classificationNode", "").strip()
        for child in listed.iterfind(f"{{{names.RIM}}}Classification")
        if child.get("classifiedObject", "").strip() == package.get("id", "").strip()
    ]


def _valid(body: etree._Element, name: str) -> None:
    if body.tag != f"{_WSNT}{name}":
        raise SoapFault(f"the Body must hold wsnt:{name}")
    validate(body, "dsub.xsd")


def _time(element: etree._Element | None) -> str:
    if element is None or element.get(_NIL, "").strip() in {"true", "1"}:
        return ""
    return (element.text or "").strip()


def _topic(filtered: etree._Element) -> Topic:
    for child in filtered:
        name = etree.QName(child)
        if name.namespace == wsn_names.WSNT and name.localname != "TopicExpression":
            raise FilterInvalid(f"filters on wsnt:{name.localname[:80]} are not evaluated here")
    topics = filtered.findall(f"{_WSNT}TopicExpression")
    if len(topics) != 1:
        raise FilterInvalid("a filter needs exactly one wsnt:TopicExpression")
    dialect = topics[0].get("Dialect", "").strip()
    if dialect not in wsn_names.DIALECTS:
        raise TopicDialectUnknown(f"the topic dialect {dialect[:120]} is not spoken here")
    # The prefix is by custom `ihe` and by custom bound to no namespace.
    text = (topics[0].text or "").strip()
    try:
        return Topic(text.rpartition(":")[2])
    except ValueError:
        raise TopicNotSupported(
            f"the topic {text[:80]} is not offered; there are "
            + ", ".join(f"ihe:{topic}" for topic in Topic)
        ) from None


def _criteria(filtered: etree._Element) -> Criteria:
    queries = filtered.findall(_QUERY)
    if len(queries) != 1:
        raise FilterInvalid("a filter needs exactly one rim:AdhocQuery")
    filter_id = queries[0].get("id", "").strip().lower()
    if filter_id not in wsn_names.FILTERS:
        raise FilterInvalid(f"no filter has the id {filter_id[:80]}")
    kind, of_a_patient = wsn_names.FILTERS[filter_id]
    _known_parameters(queries[0], kind, of_a_patient=of_a_patient)
    try:
        query = _as_stored_query(queries[0])
        criteria = _READERS[kind](query, of_a_patient)
    except Invalid as problem:
        # It names a parameter, never the value of one that identifies a person.
        raise FilterInvalid(problem.message, **problem.details) from problem
    if not of_a_patient and not any(query.has(name) for name in _AT_LEAST_ONE[kind]):
        raise FilterInvalid(
            f"a patient-independent filter needs one of {', '.join(_AT_LEAST_ONE[kind])}"
        )
    return criteria


def _known_parameters(query: etree._Element, kind: Kind, *, of_a_patient: bool) -> None:
    """Refuse what would not narrow the subscription: more would be told than was asked for."""
    for slot in query.iterfind(_SLOT):
        name = slot.get("name", "").strip()
        obsolete = name.endswith("Scheme") and name.removesuffix("Scheme") in _PARAMETERS[kind]
        if name not in _PARAMETERS[kind] and not obsolete:
            raise FilterInvalid(f"{name[:80]} is no parameter of this filter")
        if name.endswith("PatientId") and not of_a_patient:
            raise FilterInvalid(f"{name} has no place in a patient-independent filter")


def _as_stored_query(query: etree._Element) -> StoredQuery:
    request = etree.Element(f"{{{names.QUERY}}}AdhocQueryRequest")
    etree.SubElement(request, f"{{{names.QUERY}}}ResponseOption", returnType="LeafClass")
    request.append(copy.deepcopy(query))
    # Read again, so that the copy carries no namespaces or tails of where it was.
    return StoredQuery(etree.fromstring(etree.tostring(request)))


def _documents(query: StoredQuery, of_a_patient: bool) -> Criteria:
    _approved(query, f"{_DOCUMENT}Status")
    return Criteria(
        kind=Kind.DOCUMENT,
        patient_id=str(query.patient(f"{_DOCUMENT}PatientId")) if of_a_patient else "",
        object_types=query.many(f"{_DOCUMENT}Type") or (STABLE,),
        class_codes=query.codes(f"{_DOCUMENT}ClassCode"),
        type_codes=query.codes(f"{_DOCUMENT}TypeCode"),
        format_codes=query.codes(f"{_DOCUMENT}FormatCode"),
        facility_codes=query.codes(f"{_DOCUMENT}HealthcareFacilityTypeCode"),
        practice_codes=query.codes(f"{_DOCUMENT}PracticeSettingCode"),
        event_codes=query.code_groups(f"{_DOCUMENT}EventCodeList"),
        confidentiality_codes=query.code_groups(f"{_DOCUMENT}ConfidentialityCode"),
        reference_ids=tuple(query.groups(f"{_DOCUMENT}ReferenceIdList")),
        authors=query.many(f"{_DOCUMENT}AuthorPerson"),
        creation=_span(query.times(f"{_DOCUMENT}CreationTime")),
        service_start=_span(query.times(f"{_DOCUMENT}ServiceStartTime")),
        service_stop=_span(query.times(f"{_DOCUMENT}ServiceStopTime")),
    )


def _submission_sets(query: StoredQuery, of_a_patient: bool) -> Criteria:
    _approved(query, f"{_SET}Status")
    return Criteria(
        kind=Kind.SUBMISSION_SET,
        patient_id=str(query.patient(f"{_SET}PatientId")) if of_a_patient else "",
        source_ids=query.many(f"{_SET}SourceId"),
        # DSUB's text says Author, its tables and the stored query AuthorPerson.
        authors=query.many(f"{_SET}Author") + query.many(f"{_SET}AuthorPerson"),
        recipients=query.many(f"{_SET}IntendedRecipient"),
        content_type_codes=query.codes(f"{_SET}ContentType"),
        submission=_span(query.times(f"{_SET}SubmissionTime")),
    )


def _folders(query: StoredQuery, of_a_patient: bool) -> Criteria:
    _approved(query, f"{_FOLDER}Status")
    return Criteria(
        kind=Kind.FOLDER,
        patient_id=str(query.patient(f"{_FOLDER}PatientId")) if of_a_patient else "",
        unique_ids=query.many(f"{_FOLDER}UniqueId"),
        folder_codes=query.code_groups(f"{_FOLDER}CodeList"),
    )


_READERS: Final[dict[Kind, Callable[[StoredQuery, bool], Criteria]]] = {
    Kind.DOCUMENT: _documents,
    Kind.SUBMISSION_SET: _submission_sets,
    Kind.FOLDER: _folders,
}


def _approved(query: StoredQuery, name: str) -> None:
    """What is registered is Approved: a filter that leaves that out would never match."""
    if query.has(name) and Status.APPROVED not in query.statuses(name):
        raise FilterInvalid(f"{name} leaves out Approved, which all new objects are")


def _span(asked: TimeRange) -> Span:
    return Span(asked.start, asked.stop)
