"""ITI-66 Find Document Lists: search SubmissionSets and Folders, and read one.

Implements IHE MHD 2:3.66 on HL7 FHIR R4 search. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

from adapters.fhir import encode, subjects
from adapters.fhir.codes import unique_id_of, uuid_of
from adapters.fhir.element import Json
from adapters.fhir.encode_documents import folder_list, submission_set_list
from adapters.fhir.faults import warning
from adapters.fhir.interaction import Asked, FhirRooms, Kept, Reply, recorded
from adapters.fhir.people import name_of
from adapters.fhir.refusals import ParameterMissing, ResourceUnknown
from adapters.fhir.search import Given, Parameters
from adapters.fhir.times import Span, span_of_dtm
from kernel.codes import Code
from projections.document_index.filters import FolderFilter, SubmissionSetFilter
from projections.document_index.view import FolderRow, Reading, SubmissionSetRow
from registry.access.values import Resource
from registry.documents.values import AssociationType, Folder, Status, SubmissionSet

TRANSACTION: Final = "ITI-66"
_STATUS: Final = {
    "current": Status.APPROVED,
    "superseded": Status.DEPRECATED,
    "retired": Status.DEPRECATED,
}
KNOWN: Final = (
    *subjects.NAMES, "_id", "identifier", "status", "code", "date", "designationType",
    "source.given", "source.family", "sourceId", "title",
)  # fmt: skip
Row = SubmissionSetRow | FolderRow
Listed = SubmissionSet | Folder
Found = tuple[Row, Listed]
Test = Callable[[Listed], bool]


@recorded("query", TRANSACTION)
def search(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return the Bundle of a search."""
    unknown = asked.check_known(KNOWN)
    keys = subjects.asked_patients(asked.parameters, rooms)
    only = keys[0] if keys is not None and len(keys) == 1 else None
    resource = Resource("document", only)
    rooms.guard.check(asked.subject, "query", resource, transaction=TRANSACTION)
    tests = [test for given in asked.parameters.given if (test := _test(given)) is not None]
    page = asked.parameters.page()
    within = rooms.clause(asked.subject, "query", "document")
    with rooms.documents.reading(within=within, current_only=True) as look:
        found = [
            pair
            for pair in _candidates(look, keys, asked.parameters)
            if all(test(pair[1]) for test in tests)
        ]
        found.sort(key=lambda pair: _date(pair[1]), reverse=True)
        resources = _encoded(look, found[page.shown])
    rooms.guard.record(
        asked.subject, "query", "success", TRANSACTION,
        patient_keys=sorted({row.patient_key for row, _ in found}), count=len(found),
    )  # fmt: skip
    told = [warning("not-supported", f"not used: {', '.join(unknown)[:200]}")] if unknown else []
    return Reply(
        encode.searchset(
            resources,
            total=len(found),
            page=page,
            url=f"{asked.base}/List",
            pairs=Kept.of(asked.parameters.given, only).pairs,
            base=asked.base,
            warnings=told,
        ),
        headers={"cache-control": "no-store"},
    )


def read(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return one List by its entryUUID."""
    transaction = f"{TRANSACTION}.read"
    resource = Resource("document", document_id=asked.resource_id[:64])
    rooms.guard.check(asked.subject, "query", resource, transaction=transaction)
    uuid = uuid_of(asked.resource_id)
    found: list[Found] = []
    within = rooms.clause(asked.subject, "query", "document")
    with rooms.documents.reading(within=within) as look:
        if uuid is not None:
            found = _by_uuids(look, [uuid])
        resources = _encoded(look, found)
    if not found:
        raise ResourceUnknown("there is no such List")
    rooms.guard.record(
        asked.subject, "query", "success", transaction,
        patient_keys=[found[0][0].patient_key], document_ids=[str(uuid)], count=1,
    )  # fmt: skip
    return Reply(resources[0], headers={"cache-control": "private, no-cache"})


def _candidates(look: Reading, keys: list[UUID] | None, parameters: Parameters) -> list[Found]:
    kinds = _kinds(parameters)
    statuses = _statuses(parameters)
    ids, identifiers = parameters.ids(), parameters.all("identifier")
    if ids is not None or identifiers:
        # Who names a version by its entryUUID is shown that one.
        found = _by_uuids(look.every_version(), ids or [])
        for given in identifiers[:1] if ids is None else ():
            uuids, unique = _named(given)
            sets, folders = look.submission_sets, look.folders
            found = [
                *_pairs([*sets(entry_uuids=uuids), *sets(unique_ids=unique)]),
                *_pairs([*folders(logical_ids=uuids), *folders(entry_uuids=uuids)]),
                *_pairs(folders(unique_ids=unique)),
            ]
        kept = {row.entry_uuid: (row, one) for row, one in found}.values()
        found = [pair for pair in kept if statuses is None or pair[0].status in statuses]
    elif keys is None:
        raise ParameterMissing(
            "a search for lists needs patient or patient.identifier, code and status"
        )
    elif not parameters.all("status") or not parameters.all("code"):
        raise ParameterMissing("a search for a patient's lists needs code and status")
    else:
        found = []
        if keys and statuses:
            wanted = tuple(sorted(statuses))
            found += _pairs(look.find_submission_sets(keys, SubmissionSetFilter(statuses=wanted)))
            found += _pairs(look.find_folders(keys, FolderFilter(statuses=wanted)))
    return [
        pair
        for pair in found
        if ("folder" if isinstance(pair[1], Folder) else "submissionset") in kinds
        and (keys is None or pair[0].patient_key in keys)
    ]


def _by_uuids(look: Reading, uuids: Sequence[UUID]) -> list[Found]:
    return [
        *_pairs(look.submission_sets(entry_uuids=uuids)),
        *_pairs(look.folders(entry_uuids=uuids)),
    ]


def _pairs(rows: Sequence[Row]) -> list[Found]:
    return [
        (row, row.folder() if isinstance(row, FolderRow) else row.submission_set()) for row in rows
    ]


def _kinds(parameters: Parameters) -> set[str]:
    kinds = {"submissionset", "folder"}
    for given in parameters.all("code"):
        kinds &= {one.value for one in given.tokens()}
    return kinds


def _statuses(parameters: Parameters) -> set[Status] | None:
    given = parameters.all("status")
    if not given:
        return None
    return set.intersection(
        *({_STATUS[t.value] for t in one.tokens() if t.value in _STATUS} for one in given)
    )


def _named(given: Given) -> tuple[list[UUID], list[str]]:
    tokens = given.tokens()
    uuids = [uuid for one in tokens if (uuid := uuid_of(one.value)) is not None]
    unique = [unique_id_of(one.system or "", one.value) for one in tokens]
    return uuids, unique + [f"2.25.{uuid.int}" for uuid in uuids]


def _test(given: Given) -> Test | None:  # noqa: PLR0911 - one a parameter
    match given.name:
        case "date":
            conditions = given.dates()
            return lambda one: (
                (span := _span(one)) is not None and any(c.fits(span) for c in conditions)
            )
        case "designationType":
            tokens = given.tokens()
            return lambda one: any(t.fits(code) for code in _codes(one) for t in tokens)
        case "sourceId":
            wanted = {unique_id_of(t.system or "", t.value) for t in given.tokens()}
            # Of a folder nothing is told about its source: the parameter is passed over.
            return lambda one: isinstance(one, Folder) or one.source_id in wanted
        case "source.given" | "source.family":
            passes, family = given.strings(), given.name == "source.family"
            return lambda one: (
                isinstance(one, Folder)
                or any(
                    passes((name_of(a.person).family,) if family else name_of(a.person).given)
                    for a in one.authors
                )
            )
        case "title":
            passes_title = given.strings()
            return lambda one: passes_title((one.title,))
        case "identifier":
            uuids, unique = _named(given)
            return lambda one: (
                one.entry_uuid in uuids
                or one.unique_id in unique
                or (isinstance(one, Folder) and one.logical_id in uuids)
            )
        case _:
            return None


def _codes(one: Listed) -> Iterable[Code]:
    if isinstance(one, Folder):
        return one.codes
    return (one.content_type_code,) if one.content_type_code else ()


def _date(one: Listed) -> str:
    return one.last_update_time if isinstance(one, Folder) else one.submission_time


def _span(one: Listed) -> Span | None:
    try:
        return span_of_dtm(_date(one))
    except ValueError:
        return None


def _encoded(look: Reading, found: Sequence[Found]) -> list[Json]:
    members: dict[UUID, list[UUID]] = {row.entry_uuid: [] for row, _ in found}
    for edge in look.associations(sources=members):
        if edge.type == AssociationType.HAS_MEMBER:
            members[edge.source].append(edge.target)
    targets = [uuid for uuids in members.values() for uuid in uuids]
    kinds = {row.entry_uuid: "DocumentReference" for row in look.documents(entry_uuids=targets)}
    kinds |= {row.entry_uuid: "List" for row in look.folders(entry_uuids=targets)}
    made = []
    for row, one in found:
        held = [(kinds[uuid], uuid) for uuid in members[row.entry_uuid] if uuid in kinds]
        if isinstance(one, Folder):
            made.append(folder_list(one, row.patient_key, held))
        else:
            made.append(submission_set_list(one, row.patient_key, held))
    return made
