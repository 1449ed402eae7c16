"""A study of the index -> ImagingStudy, with the DICOMweb endpoint that serves it.

Implements HL7 FHIR R4 ImagingStudy; identifiers as its 8.16 says (`urn:dicom:uid`). Pure; called
by `imaging_study.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from adapters.fhir.element import Json
from adapters.fhir.times import dicom_started, instant
from projections.study_index.view import InstanceRow, SeriesRow, StudyRow

_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
_CONNECTIONS: Final = "http://terminology.hl7.org/CodeSystem/endpoint-connection-type"


@dataclass(frozen=True, slots=True)
class Shown:
    """Where the study can be had, and the hospital's time zone."""

    dicomweb: str
    zone: tzinfo


def imaging_study(
    row: StudyRow, series: Sequence[SeriesRow], instances: Sequence[InstanceRow], shown: Shown
) -> Json:
    """Return the ImagingStudy of a row; `instances` may be left out."""
    identifiers: list[Json] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{row.study_uid}"}]
    if row.accession:
        kind = {"coding": [{"system": _TYPES, "code": "ACSN"}]}
        identifiers.append({"type": kind, "value": row.accession})
    endpoint = {
        "resourceType": "Endpoint",
        "id": "wado",
        "status": "active",
        "connectionType": {"system": _CONNECTIONS, "code": "dicom-wado-rs"},
        "payloadType": [{"text": "DICOM"}],
        "payloadMimeType": ["application/dicom"],
        "address": f"{shown.dicomweb}/studies/{row.study_uid}",
    }
    referrer = " ".join(row.referring.replace("^", " ").split())
    parts: list[tuple[str, object]] = [
        ("resourceType", "ImagingStudy"),
        ("id", row.study_uid),
        ("meta", {"lastUpdated": instant(row.last_at)}),
        ("contained", [endpoint]),
        ("identifier", identifiers),
        ("status", "available"),
        ("modality", [{"system": _DCM, "code": code} for code in row.modalities]),
        ("subject", {"reference": f"Patient/{row.patient_key}"}),
        ("started", dicom_started(row.study_date, row.study_time, shown.zone)),
        ("referrer", {"display": referrer} if referrer else None),
        ("endpoint", [{"reference": "#wado"}]),
        ("numberOfSeries", row.series_count),
        ("numberOfInstances", row.instance_count),
        ("description", row.description),
        ("series", [_series(one, instances, shown.zone) for one in series]),
    ]  # fmt: skip
    return {name: value for name, value in parts if value not in (None, "", [])}


def _series(row: SeriesRow, instances: Sequence[InstanceRow], zone: tzinfo) -> Json:
    made: Json = {"uid": row.series_uid}
    if row.number is not None and 0 <= row.number < 1 << 31:
        made["number"] = row.number
    made["modality"] = {"system": _DCM, "code": row.modality or "OT"}
    if row.description:
        made["description"] = row.description
    made["numberOfInstances"] = row.instance_count
    if row.body_part:
        made["bodySite"] = {"display": row.body_part}
    started = dicom_started(row.series_date, row.series_time, zone)
    if started:
        made["started"] = started
    held = [_instance(one) for one in instances if one.series_uid == row.series_uid]
    return made | ({"instance": held} if held else {})


def _instance(row: InstanceRow) -> Json:
    made: Json = {
        "uid": row.sop_uid,
        "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{row.sop_class}"},
    }
    if row.number is not None and 0 <= row.number < 1 << 31:
        made["number"] = row.number
    return made
