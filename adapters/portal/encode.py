"""Answers of the portal: rows of views -> JSON models, times in the hospital's own clock.

The contract of design A10; names as in viewer-app/src/api/contract.ts. Called by the routes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from adapters.guard.guard import SignedIn
from kernel.refusals import Refusal
from kernel.times import parse_dtm
from projections.study_index.view import InstanceRow
from projections.study_index.view import SeriesRow as IndexedSeries
from projections.study_index.view import StudyRow as IndexedStudy
from registry.documents.values import DocumentEntry, Status

Viewable = Literal["image", "document", "none"]
StudyStatus = Literal["receiving", "complete", "published"]

_DOCUMENTS: Final = "1.2.840.10008.5.1.4.1.1.104."
_NO_IMAGES: Final = tuple(
    f"1.2.840.10008.5.1.4.1.1.{branch}"
    for branch in (
        "9.", "11.", "66", "67", "68.", "78.", "79.", "80.", "88.", "90.", "200.",
        "481.2", "481.3", "481.4", "481.5", "481.6", "481.7", "481.8", "481.9", "481.1.",
    )
)  # fmt: skip
"""Storage classes without pixels to show: waveforms, presentation states, raw data, measurements,
structured reports, RT plans and doses (PS3.4 B.5)."""
_TIME: Final = re.compile(r"([0-9]{2})([0-9]{2})?([0-9]{2})?")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Session(_Answer):
    """The signed-in person."""

    user: str
    display_name: str
    roles: list[str]
    csrf: str
    """What X-Pianku-Csrf must hold on requests that change something."""
    expires_at: datetime
    must_change_password: bool = False


class StudyRow(_Answer):
    """One line of the examination list."""

    study_uid: str
    patient_key: str
    patient_name: str
    patient_name_ideographic: str | None
    patient_id: str
    patient_sex: str
    patient_birth_date: str | None
    """YYYY-MM-DD."""
    patient_age: str | None
    """As the modality said it (PS3.5 AS), or absent: then it follows from the birth date."""
    accession_number: str
    study_datetime: str | None
    """Local date and time of the examination."""
    study_description: str
    modalities: list[str]
    body_parts: list[str]
    status: StudyStatus
    series_count: int
    instance_count: int
    received_at: str
    """Local date and time of the last arrival."""


class StudyPage(_Answer):
    """One page of search results."""

    total: int
    items: list[StudyRow]


class Representative(_Answer):
    """The instance that stands for a series in a thumbnail."""

    sop_uid: str
    frames: int


class SeriesRow(_Answer):
    """One series, with what can be shown of it."""

    series_uid: str
    modality: str
    series_number: int | None
    description: str
    body_part: str
    instance_count: int
    sop_classes: list[str]
    viewable: Viewable
    representative: Representative | None


class StudyDetail(_Answer):
    """A study with its series."""

    study: StudyRow
    series: list[SeriesRow]


class DocumentRow(_Answer):
    """One registered document of a patient."""

    entry_uuid: str
    title: str
    type_display: str
    class_display: str
    mime_type: str
    creation_time: str | None
    size_bytes: int | None
    author: str | None
    format_code: str
    availability: Literal["approved", "deprecated"]


class Timeline(_Answer):
    """Everything known of one patient, newest first."""

    studies: list[StudyRow]
    documents: list[DocumentRow]


class Account(_Answer):
    """A person who may sign in."""

    login: str
    display_name: str
    roles: list[str]
    disabled: bool
    must_change: bool


class Token(_Answer):
    """A bearer token that is in force."""

    token_id: str
    label: str
    roles: list[str]
    issued_at: datetime
    expires_at: datetime | None


class IssuedToken(_Answer):
    """A token just issued; the secret is shown this once."""

    token_id: str
    token: str


class AeTitleLimits(_Answer):
    """What an AE title is held to beside its rights; an empty list restricts nothing."""

    services: list[str]
    sop_classes: list[str]
    transfer_syntaxes: list[str]
    max_associations: int
    tls: bool
    certificates: list[str]
    reached_by_tls: bool


class AeTitle(_Answer):
    """An AE title and what it is allowed."""

    ae_title: str
    networks: list[str]
    rights: list[str]
    host: str
    port: int
    limits: AeTitleLimits


class Certificate(_Answer):
    """A trusted TLS client certificate."""

    fingerprint: str
    label: str
    roles: list[str]


class AuditRow(_Answer):
    """One access."""

    position: int
    at: datetime
    user: str
    user_kind: str
    address: str
    protocol: str
    source: str
    node: str
    purpose: str
    correlation: str
    action: str
    outcome: str
    transaction: str
    count: int
    detail: str
    patient_keys: list[str]
    study_uids: list[str]
    document_ids: list[str]


class AuditPage(_Answer):
    """One page of the audit trail, newest first, with counts over all that was found."""

    total: int
    by_action: dict[str, int]
    by_outcome: dict[str, int]
    items: list[AuditRow]


def session(signed_in: SignedIn) -> Session:
    """Return the session as the browser may know it."""
    account = signed_in.account
    return Session(
        user=account.login,
        display_name=account.display_name,
        roles=sorted(account.roles),
        csrf=signed_in.session.csrf,
        expires_at=signed_in.session.expires_at.astimezone(UTC).replace(microsecond=0),
        must_change_password=signed_in.must_change,
    )


def study_row(row: IndexedStudy, zone: ZoneInfo) -> StudyRow:
    """Return a study for the list."""
    if 0 < row.instance_count <= row.published_count:
        status: StudyStatus = "published"
    else:
        status = "complete" if row.complete else "receiving"
    return StudyRow(
        study_uid=row.study_uid,
        patient_key=str(row.patient_key),
        patient_name=row.alphabetic or row.ideographic,
        patient_name_ideographic=row.ideographic or None,
        patient_id=row.patient_id,
        patient_sex=row.sex,
        patient_birth_date=_iso_date(row.birth_date),
        patient_age=None,
        accession_number=row.accession,
        study_datetime=_iso_datetime(row.study_date, row.study_time),
        study_description=row.description,
        modalities=list(row.modalities),
        body_parts=list(row.body_parts),
        status=status,
        series_count=row.series_count,
        instance_count=row.instance_count,
        received_at=local(row.last_at, zone),
    )


def series_row(row: IndexedSeries, instances: Sequence[InstanceRow]) -> SeriesRow:
    """Return a series with the instance that stands for it."""
    classes = sorted({instance.sop_class for instance in instances})
    kind = _viewable(classes)
    shown = [i for i in instances if kind != "none" and _viewable([i.sop_class]) == kind]
    # The middle of a stack shows more than its first slice.
    middle = shown[len(shown) // 2] if shown else None
    return SeriesRow(
        series_uid=row.series_uid,
        modality=row.modality,
        series_number=row.number,
        description=row.description,
        body_part=row.body_part,
        instance_count=row.instance_count,
        sop_classes=classes,
        viewable=kind,
        representative=None
        if middle is None
        else Representative(sop_uid=middle.sop_uid, frames=max(middle.frame_count, 1)),
    )


def document_row(entry: DocumentEntry, zone: ZoneInfo) -> DocumentRow:
    """Return a registered document for the timeline."""
    authors = [_person(author.person) for author in entry.authors if author.person]
    return DocumentRow(
        entry_uuid=str(entry.entry_uuid),
        title=entry.title,
        type_display=entry.type_code.display if entry.type_code else "",
        class_display=entry.class_code.display if entry.class_code else "",
        mime_type=entry.mime_type,
        creation_time=_local_dtm(entry.creation_time, zone),
        size_bytes=entry.size,
        author="、".join(authors) or None,
        format_code=entry.format_code.value if entry.format_code else "",
        availability="approved" if entry.availability_status is Status.APPROVED else "deprecated",
    )


def local(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment in the hospital's clock, to the second, without an offset."""
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0).isoformat()


def _viewable(classes: Sequence[str]) -> Viewable:
    kinds = {_kind(uid) for uid in classes}
    return "image" if "image" in kinds else "document" if "document" in kinds else "none"


def _kind(sop_class: str) -> Viewable:
    if sop_class.startswith(_DOCUMENTS):
        return "document"
    return "none" if sop_class.startswith(_NO_IMAGES) else "image"


def _iso_date(text: str) -> str | None:
    """Return YYYY-MM-DD of a DICOM DA; None for what is no whole date."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])).isoformat()
    except ValueError:
        return None


def _iso_datetime(day: str, moment: str) -> str | None:
    iso = _iso_date(day)
    found = _TIME.match(moment)
    if iso is None or found is None:
        return iso
    hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return f"{iso}T{time(hour, minute, min(second, 59)).isoformat()}"
    except ValueError:
        return iso


def _local_dtm(text: str, zone: ZoneInfo) -> str | None:
    try:
        moment = parse_dtm(text)
    except Refusal:
        return None
    # Less than an hour's precision says a day: shifting it by zone would make it another day.
    if len(text) < 10:
        return moment.date().isoformat()
    return local(moment, zone)


def _person(xcn: str) -> str:
    """Return the name of an XCN: family and given, or the id when there is no name."""
    parts = [part.partition("&")[0].strip() for part in xcn.split("^")]
    name = " ".join(part for part in parts[1:3] if part)
    return name or parts[0]
