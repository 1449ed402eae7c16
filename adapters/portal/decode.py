"""Requests of the portal: their JSON bodies, checked and bounded.

The contract of design A10; names as in viewer-app/src/api/contract.ts. Read by FastAPI.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kernel.refusals import Invalid
from registry.access.values import AeLimits

DatePreset = Literal["today", "yesterday", "3d", "7d"]
SortField = Literal["study_datetime", "patient_name", "received_at", "modality"]
ShortText = Annotated[str, Field(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]

_SPANS: Final[dict[str, tuple[int, int]]] = {
    "today": (0, 0),
    "yesterday": (1, 1),
    "3d": (2, 0),
    "7d": (6, 0),
}
"""Preset -> first and last day, counted back from today."""


class BadDateRange(Invalid):
    """A search has a preset or a range of dates, and the range does not end before it begins."""

    code = "bad_date_range"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Credentials(_Request):
    """User and password of a sign-in."""

    user: ShortText
    password: SecretStr


class PasswordChange(_Request):
    """A person's own change of password."""

    current: SecretStr
    new: SecretStr


class StudySearch(_Request):
    """A search of examinations; absent members do not restrict."""

    name: ShortText | None = None
    """Beginning of the name, of its pinyin or of its initials."""
    patient_id: ShortText | None = None
    accession_number: ShortText | None = None
    modalities: Annotated[list[Annotated[str, Field(max_length=16)]], Field(max_length=64)] = []
    date_from: date | None = None
    date_to: date | None = None
    preset: DatePreset | None = None
    sort: SortField = "study_datetime"
    descending: bool = True
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    limit: Annotated[int, Field(ge=0, le=500)] = 20

    def days(self, today: date) -> tuple[str, str]:
        """Return first and last day as YYYYMMDD, empty for open ends; raises BadDateRange."""
        first, last = self.date_from, self.date_to
        if self.preset is not None:
            if first or last:
                raise BadDateRange
            back = _SPANS[self.preset]
            first, last = (today - timedelta(days=days) for days in back)
        if first and last and last < first:
            raise BadDateRange
        return _dicom_date(first), _dicom_date(last)

    def criteria(self) -> str:
        """Return the names of what the search restricts, for the record."""
        not_criteria = {"sort", "descending", "offset", "limit"}
        given = self.model_dump(exclude=not_criteria, exclude_defaults=True)
        return ",".join(sorted(name for name, value in given.items() if value))


class AuditSearch(_Request):
    """A search of the audit trail; absent members do not restrict."""

    user: ShortText = ""
    patient_key: UUID | None = None
    study_uid: ShortText = ""
    document_id: ShortText = ""
    action: ShortText = ""
    outcome: ShortText = ""
    transaction: ShortText = ""
    address: ShortText = ""
    since: datetime | None = None
    """Without an offset it is meant in the hospital's own clock."""
    until: datetime | None = None
    """Exclusive."""
    offset: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    limit: Annotated[int, Field(ge=0, le=1000)] = 50

    def criteria(self) -> str:
        """Return the names of what the search restricts, for the record."""
        given = self.model_dump(exclude={"offset", "limit"}, exclude_defaults=True)
        return ",".join(sorted(name for name, value in given.items() if value))


class NewAccount(_Request):
    """An account to create."""

    login: ShortText
    display_name: ShortText
    roles: list[str]
    password: SecretStr
    must_change: bool = True
    """The person chooses an own password at the first sign-in."""


class RoleAssignment(_Request):
    """The roles an account is to have."""

    roles: list[str]


class PasswordReset(_Request):
    """A password set by the security administrator; its owner then chooses an own."""

    password: SecretStr


class Disabling(_Request):
    """Why an account is disabled."""

    reason: ShortText = ""


class NewToken(_Request):
    """A bearer token to issue."""

    label: ShortText
    roles: list[str]
    expires_at: datetime | None = None


_Names = Annotated[list[ShortText], Field(max_length=512)]


class AeTitleLimits(_Request):
    """What an AE title is held to; an empty list restricts nothing."""

    services: _Names = []
    sop_classes: _Names = []
    """SOP Class UIDs and names of groups."""
    transfer_syntaxes: _Names = []
    max_associations: Annotated[int, Field(ge=0, le=10_000)] = 0
    tls: bool = False
    certificates: _Names = []
    """SHA-256 of the DER certificates in hex; one of them must be shown."""
    reached_by_tls: bool = False

    def values(self) -> AeLimits:
        """Return them in the registry's words."""
        return AeLimits(
            services=tuple(self.services),
            sop_classes=tuple(self.sop_classes),
            transfer_syntaxes=tuple(self.transfer_syntaxes),
            max_associations=self.max_associations,
            tls=self.tls,
            certificates=tuple(self.certificates),
            reached_by_tls=self.reached_by_tls,
        )


class AeTitleGrant(_Request):
    """What an AE title (or a sending application on MLLP) is allowed."""

    ae_title: ShortText
    networks: Annotated[list[str], Field(max_length=64)]
    rights: list[str]
    host: Annotated[str, Field(max_length=253)] = ""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    limits: AeTitleLimits = AeTitleLimits()
    """What it is held to beside its rights; without: nothing more than those."""


class CertificateTrust(_Request):
    """A TLS client certificate to trust."""

    fingerprint: Annotated[str, Field(max_length=95)]
    """SHA-256 of the DER certificate in hex."""
    label: ShortText
    roles: list[str]


def _dicom_date(day: date | None) -> str:
    return "" if day is None else day.strftime("%Y%m%d")
