"""Does an object meet the criteria of a subscription?

Implements ITI TF-2 3.52.5.2: a match is what a stored query with the same parameters would have
found. Pure; called by `projections/delivery_queue`, which knows the patient by his key.
"""

from __future__ import annotations

from collections.abc import Iterable

from kernel.codes import Code
from kernel.times import pad_dtm
from registry.documents.values import DocumentEntry, Folder, SubmissionSet
from registry.subscriptions.values import CodeGroups, Criteria, DocumentLike, Kind, Span


def matches(criteria: Criteria, thing: DocumentLike) -> bool:
    """Tell whether `thing` meets the criteria; whose it is the caller has compared."""
    match thing:
        case DocumentEntry():
            return criteria.kind is Kind.DOCUMENT and _document(criteria, thing)
        case SubmissionSet():
            return criteria.kind is Kind.SUBMISSION_SET and _submission_set(criteria, thing)
        case Folder():
            return criteria.kind is Kind.FOLDER and _folder(criteria, thing)


def like(text: str, pattern: str) -> bool:
    """Tell whether `text` is like the SQL pattern: `%` any run, `_` any one, case kept.

    Two marks instead of a regular expression: a stranger's pattern must not cost more than the
    product of both lengths.
    """
    at = mark = 0
    star = -1
    while at < len(text):
        step = pattern[mark] if mark < len(pattern) else ""
        if step == "%":
            star, resume = mark, at
            mark += 1
        elif step == "_" or step == text[at]:
            at, mark = at + 1, mark + 1
        elif star >= 0:
            resume += 1
            at, mark = resume, star + 1
        else:
            return False
    return not pattern[mark:].strip("%")


def _document(criteria: Criteria, entry: DocumentEntry) -> bool:
    authors = [author.person for author in entry.authors]
    return (
        (not criteria.object_types or entry.object_type in criteria.object_types)
        and _code(criteria.class_codes, entry.class_code)
        and _code(criteria.type_codes, entry.type_code)
        and _code(criteria.format_codes, entry.format_code)
        and _code(criteria.facility_codes, entry.healthcare_facility_type_code)
        and _code(criteria.practice_codes, entry.practice_setting_code)
        and _groups(criteria.event_codes, entry.event_codes)
        and _groups(criteria.confidentiality_codes, entry.confidentiality_codes)
        and all(set(group) & set(entry.reference_ids) for group in criteria.reference_ids)
        and _likes(criteria.authors, authors)
        and _within(criteria.creation, entry.creation_time)
        and _within(criteria.service_start, entry.service_start_time)
        and _within(criteria.service_stop, entry.service_stop_time)
    )


def _submission_set(criteria: Criteria, whole: SubmissionSet) -> bool:
    return (
        (not criteria.source_ids or whole.source_id in criteria.source_ids)
        and _likes(criteria.authors, [author.person for author in whole.authors])
        and _likes(criteria.recipients, whole.intended_recipients)
        and _code(criteria.content_type_codes, whole.content_type_code)
        and _within(criteria.submission, whole.submission_time)
    )


def _folder(criteria: Criteria, folder: Folder) -> bool:
    unique = not criteria.unique_ids or folder.unique_id in criteria.unique_ids
    return unique and _groups(criteria.folder_codes, folder.codes)


def _code(wanted: Iterable[Code], held: Code | None) -> bool:
    codes = tuple(wanted)
    return not codes or (held is not None and any(held.same_as(code) for code in codes))


def _groups(wanted: CodeGroups, held: Iterable[Code]) -> bool:
    codes = tuple(held)
    return all(any(one.same_as(code) for one in codes for code in group) for group in wanted)


def _likes(patterns: Iterable[str], values: Iterable[str]) -> bool:
    wanted, held = tuple(patterns), tuple(values)
    return not wanted or any(like(value, pattern) for value in held for pattern in wanted)


def _within(span: Span, time: str) -> bool:
    if not span.start and not span.stop:
        return True
    if not time:
        return False  # what has no time is in no range of time
    moment = pad_dtm(time)
    return (not span.start or moment >= pad_dtm(span.start)) and (
        not span.stop or moment < pad_dtm(span.stop)
    )
