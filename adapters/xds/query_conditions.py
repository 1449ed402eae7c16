"""The conditions that the parameters of stored queries put on documents and folders.

Implements the parameters of ITI TF-2 3.18.4.1.2.3.7 and the `...Exclude` ones of CP-ITI-1323.
Called by `query_answers.py` and `iti51_multi_patient_query.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from adapters.xds.stored_query import StoredQuery
from projections.document_index.filters import DocumentFilter, FolderFilter
from registry.documents.values import STABLE, Status

_DOCUMENT: Final = "$XDSDocumentEntry"
# What FindDocumentsExclude may ask not to see.
_EXCLUDABLE: Final = (
    "ClassCode",
    "TypeCode",
    "FormatCode",
    "HealthcareFacilityTypeCode",
    "PracticeSettingCode",
    "EventCodeList",
    "ConfidentialityCode",
    "AuthorPerson",
    "ReferenceIdList",
    "Type",
)


def document_filter(query: StoredQuery) -> DocumentFilter:
    """Return the conditions that FindDocuments and its kin put on documents."""
    return replace(
        _conditions(query),
        statuses=query.statuses(f"{_DOCUMENT}Status"),
        object_types=query.many(f"{_DOCUMENT}Type") or (STABLE,),
        creation=query.times(f"{_DOCUMENT}CreationTime"),
        service_start=query.times(f"{_DOCUMENT}ServiceStartTime"),
        service_stop=query.times(f"{_DOCUMENT}ServiceStopTime"),
        availabilities=tuple(
            value.rpartition(":")[2] for value in query.many(f"{_DOCUMENT}DocumentAvailability")
        ),
    )


def excluding_filter(query: StoredQuery) -> DocumentFilter:
    """Return the conditions of FindDocumentsExclude: an attribute is asked for or excluded."""
    for attribute in _EXCLUDABLE:
        query.apart(f"{_DOCUMENT}{attribute}", f"{_DOCUMENT}{attribute}Exclude")
    excluded = _conditions(query, "Exclude")
    wanted = replace(document_filter(query), excluded=excluded)
    # Who excludes a type of document asks for every other one.
    return replace(wanted, object_types=()) if excluded.object_types else wanted


def folder_filter(query: StoredQuery) -> FolderFilter:
    """Return the conditions that FindFolders and its kin put on folders."""
    return FolderFilter(
        statuses=query.statuses("$XDSFolderStatus"),
        last_update=query.times("$XDSFolderLastUpdateTime"),
        codes=query.code_groups("$XDSFolderCodeList"),
    )


def content_filter(query: StoredQuery, statuses: tuple[Status, ...] = ()) -> DocumentFilter:
    """Return the conditions on the documents within a submission set, a folder or a patient."""
    prefix = "$XDSDocumentEntry"
    return DocumentFilter(
        statuses=statuses,
        object_types=query.many(f"{prefix}Type") or (STABLE,),
        format_codes=query.codes(f"{prefix}FormatCode"),
        confidentiality_codes=query.code_groups(f"{prefix}ConfidentialityCode"),
    )


def _conditions(query: StoredQuery, suffix: str = "") -> DocumentFilter:
    """Return the conditions that may also be excluded, then with `Exclude` as suffix."""

    def name(attribute: str) -> str:
        return f"{_DOCUMENT}{attribute}{suffix}"

    return DocumentFilter(
        object_types=query.many(name("Type")),
        class_codes=query.codes(name("ClassCode")),
        type_codes=query.codes(name("TypeCode")),
        format_codes=query.codes(name("FormatCode")),
        facility_codes=query.codes(name("HealthcareFacilityTypeCode")),
        practice_codes=query.codes(name("PracticeSettingCode")),
        event_codes=query.code_groups(name("EventCodeList")),
        confidentiality_codes=query.code_groups(name("ConfidentialityCode")),
        authors=query.many(name("AuthorPerson")),
        references=tuple(query.groups(name("ReferenceIdList"))),
    )
