"""ImagingStudy: search and read what the archive holds, with the DICOMweb endpoint of each study.

Implements HL7 FHIR R4 ImagingStudy (search parameters `patient`, `identifier`, `modality`,
`started`, `_id`; `accession` as in RAD MADO). Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from adapters.fhir import encode, subjects
from adapters.fhir.element import Json
from adapters.fhir.encode_studies import Shown, imaging_study
from adapters.fhir.faults import warning
from adapters.fhir.interaction import PREFIX, Asked, FhirRooms, Kept, Reply, recorded
from adapters.fhir.refusals import ParameterMissing, ResourceUnknown
from adapters.fhir.search import DateCondition, Given, Parameters, plain
from adapters.fhir.times import dicom_started, span_of_fhir
from kernel.identifiers import BadIdentifier, dicom_uid
from projections.study_index.view import StudyFilters, StudyRow
from registry.access.values import Resource

TRANSACTION: Final = "ImagingStudy"
_DICOMWEB: Final = "/dicom-web"
KNOWN: Final = (
    *subjects.NAMES, "_id", "identifier", "modality", "started", "accession", "accession-number",
    "status",
)  # fmt: skip


@recorded("query", f"{TRANSACTION}.search")
def search(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return the Bundle of a search."""
    unknown = asked.check_known(KNOWN)
    parameters = asked.parameters
    keys = subjects.asked_patients(parameters, rooms)
    only = keys[0] if keys is not None and len(keys) == 1 else None
    transaction = f"{TRANSACTION}.search"
    rooms.guard.check(asked.subject, "query", Resource("study", only), transaction=transaction)
    page = parameters.page()
    rows, cut = _rows(asked, rooms, keys)
    found = [row for row in rows if _passes(row, parameters, rooms)]
    resources = [_encoded(row, asked, rooms, instances=False) for row in found[page.shown]]
    rooms.guard.record(
        asked.subject, "query", "success", transaction,
        patient_keys=sorted({row.patient_key for row in found}), count=len(found),
    )  # fmt: skip
    told = [warning("not-supported", f"not used: {', '.join(unknown)[:200]}")] if unknown else []
    if cut:
        told.append(warning("incomplete", f"more than {rooms.limits.studies}: narrow the search"))
    return Reply(
        encode.searchset(
            resources,
            total=len(found),
            page=page,
            url=f"{asked.base}/ImagingStudy",
            pairs=Kept.of(parameters.given, only).pairs,
            base=asked.base,
            warnings=told,
        ),
        headers={"cache-control": "no-store"},
    )


def read(asked: Asked, rooms: FhirRooms) -> Reply:
    """Return one ImagingStudy by its Study Instance UID, with its instances."""
    transaction = f"{TRANSACTION}.read"
    try:
        uid = dicom_uid(asked.resource_id)
    except BadIdentifier:
        uid = ""
    named = Resource("study", study_uid=uid)
    rooms.guard.check(asked.subject, "view", named, transaction=transaction)
    row = rooms.studies.study(uid) if uid else None
    if row is None:
        raise ResourceUnknown("there is no such ImagingStudy")
    resource = Resource("study", row.patient_key, uid)
    rooms.guard.check(asked.subject, "view", resource, transaction=transaction)
    made = _encoded(row, asked, rooms, instances=True)
    rooms.guard.record(
        asked.subject, "view", "success", transaction,
        patient_keys=[row.patient_key], study_uids=[uid], count=1,
    )  # fmt: skip
    return Reply(made, headers={"cache-control": "private, no-cache"})


def _rows(asked: Asked, rooms: FhirRooms, keys: list[UUID] | None) -> tuple[list[StudyRow], bool]:
    """Return the candidates, and whether there are more than we look at."""
    parameters = asked.parameters
    policy = rooms.clause(asked.subject, "query", "study")
    uids = _uids(parameters)
    accessions = parameters.all("accession", "accession-number")
    if uids is not None:
        allowed = _visible(asked, rooms)
        rows = [row for uid in uids if (row := rooms.studies.study(uid)) is not None and allowed]
        return [row for row in rows if keys is None or row.patient_key in keys], False
    if keys is None and not accessions and not parameters.all("identifier"):
        raise ParameterMissing(
            "a search for studies needs patient, patient.identifier, identifier or accession"
        )
    values = _accessions(parameters)
    found: dict[str, StudyRow] = {}
    cut = False
    for key in [None] if keys is None else keys:
        for value in values or [""]:
            total, rows_of = rooms.studies.search_studies(
                StudyFilters(patient_key=key, accession=value),
                policy=policy,
                limit=rooms.limits.studies,
            )
            cut = cut or total > rooms.limits.studies
            found |= {row.study_uid: row for row in rows_of}
    return list(found.values()), cut


def _visible(asked: Asked, rooms: FhirRooms) -> bool:
    """Tell whether the caller may read studies that he names one by one."""
    rooms.guard.check(asked.subject, "view", Resource("study"), transaction=TRANSACTION)
    return True


def _uids(parameters: Parameters) -> list[str] | None:
    """Return the studies named by _id or by an identifier that is a UID, None without such."""
    named = [*parameters.all("_id"), *parameters.all("identifier")]
    uids = [uid for given in named[:1] for part in given.alternatives() if (uid := _uid(part))]
    if uids or parameters.all("_id"):
        return uids
    return None


def _uid(part: str) -> str:
    value = plain(part).rpartition("|")[2]
    try:
        return dicom_uid(value.removeprefix("urn:oid:"))
    except BadIdentifier:
        return ""


def _accessions(parameters: Parameters) -> list[str]:
    given = [*parameters.all("accession", "accession-number"), *parameters.all("identifier")]
    return [one.value for one in given[0].tokens() if one.value] if given else []


def _passes(row: StudyRow, parameters: Parameters, rooms: FhirRooms) -> bool:
    return all(_fits(row, given, rooms) for given in parameters.given)


def _fits(row: StudyRow, given: Given, rooms: FhirRooms) -> bool:  # noqa: PLR0911 - one a parameter
    match given.name:
        case "_id":
            return row.study_uid in given.alternatives()
        case "identifier":
            return any(
                row.study_uid == _uid(part) or (row.accession == plain(part).rpartition("|")[2])
                for part in given.alternatives()
            )
        case "accession" | "accession-number":
            return row.accession in {one.value for one in given.tokens()}
        case "modality":
            return any(one.value in row.modalities for one in given.tokens())
        case "started":
            return _started(row, given.dates(), rooms)
        case "status":
            return "available" in {one.value for one in given.tokens()}
        case _:
            return True


def _started(row: StudyRow, conditions: Sequence[DateCondition], rooms: FhirRooms) -> bool:
    told = dicom_started(row.study_date, row.study_time, rooms.zone)
    return bool(told) and any(one.fits(span_of_fhir(told)) for one in conditions)


def _encoded(row: StudyRow, asked: Asked, rooms: FhirRooms, *, instances: bool) -> Json:
    shown = Shown(f"{asked.base.removesuffix(PREFIX)}{_DICOMWEB}", rooms.zone)
    series = rooms.studies.series_of(row.study_uid)
    held = rooms.studies.instances_of(row.study_uid) if instances else ()
    return imaging_study(row, series, held, shown)
