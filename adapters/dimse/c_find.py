"""C-FIND: patients, studies, series and instances that match an identifier.

PS3.7 9.1.2, PS3.4 C.4.1 (Patient Root and Study Root). Called by `association.py`; asks the
study index.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Protocol

import sqlalchemy as sa

from adapters.dimse import decode, encode, faults
from adapters.dimse.answer import Members, encode_answer, members, patients
from adapters.dimse.association import Association, response_elements
from adapters.dimse.contexts import Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.extended import NOTHING_AGREED, Options
from adapters.dimse.query import (
    INDEX_LEVEL,
    RETRIEVE_AE_TITLE,
    STUDY_UID,
    Identifier,
    Level,
    check_hierarchy,
    is_private,
    of_patients,
    read_identifier,
)
from kernel.refusals import Refusal
from projections.permissions.policy import clause
from projections.study_index.asked import divided
from projections.study_index.attributes import PATIENT_RELATED
from projections.study_index.search import KEPT, Found, Search

log = logging.getLogger("pianku.dimse")
_PAGE: Final = 2000
_TOLD_ANYWHERE: Final = frozenset((RETRIEVE_AE_TITLE, *PATIENT_RELATED))


class Index(Protocol):
    """The searches of the study index."""

    def find(self, search: Search, *, policy: sa.ColumnElement[bool]) -> Found:
        """Return what matches; raises BadQuery, QueryTooLarge."""
        ...


class FindScp:
    """Answers queries of all associations of a receiver."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Answer a C-FIND-RQ."""
        octets = b""
        if decode.has_dataset(command):
            octets = association.messages.read_dataset(context.id)
        try:
            status = self._answer(association, context, command, octets)
        except Refusal as refusal:
            word = faults.status(refusal, Operation.FIND)
            log.info("query refused", extra={"code": refusal.code, "status": f"{word:04X}"})
            association.respond(
                context,
                command,
                word,
                comment=faults.comment(refusal),
                more=faults.offending(refusal),
            )
            return
        association.respond(context, command, status)

    def _answer(
        self, association: Association, context: Context, command: Command, octets: bytes
    ) -> int:
        association.may("find", "C-FIND")
        identifier = read_identifier(octets, context)
        options = association.options.get(context.abstract_syntax, NOTHING_AGREED)
        if not (options.relational or association.limits.relational_queries):
            check_hierarchy(identifier, context)
        limit = association.limits.max_results
        sent = 0
        for found, answers in self._pages(association, identifier, options):
            # Before the first answer leaves: what is not recorded is not told.
            association.guard.record(
                association.subject,
                "find",
                "success",
                "C-FIND",
                count=len(answers),
                study_uids=found.study_uids,
                detail=str(identifier.level),
            )
            word = faults.PENDING
            if found.ignored or not _is_supported(identifier):
                word = faults.PENDING_WITHOUT_OPTIONAL_KEYS
            pending = encode.command({**response_elements(command, word), 0x0800: 0})
            for answer in answers:
                if association.is_cancelled(command):
                    return faults.CANCELLED
                if sent == limit:
                    return faults.OUT_OF_RESOURCES
                association.messages.send(
                    context.id,
                    pending,
                    encode_answer(
                        identifier, answer, context.transfer_syntax, ae_title=association.ae_title
                    ),
                )
                sent += 1
        return faults.SUCCESS

    def _pages(
        self, association: Association, identifier: Identifier, options: Options
    ) -> Iterator[tuple[Found, list[Members]]]:
        policy = clause(association.subject, "find", "study")
        of_level = identifier
        if identifier.level is Level.PATIENT and not options.relational:
            of_level = of_patients(identifier)
        search = replace(query_of(of_level, options), limit=_PAGE)
        seen: set[tuple[str, str]] = set()
        while True:
            found = self._index.find(search, policy=policy)
            answers = [members(item) for item in found.items]
            if identifier.level is Level.PATIENT:
                answers = list(patients(zip(found.owners, answers, strict=True), seen))
            yield found, answers
            if not found.more:
                return
            search = replace(search, offset=search.offset + _PAGE)


def search_of(identifier: Identifier) -> Search:
    """Return the search by the indexed keys of an identifier."""
    studies = identifier.uids(STUDY_UID)
    return Search(
        level=INDEX_LEVEL[identifier.level],
        filters=identifier.filters(),
        study_uid=studies[0] if len(studies) == 1 and studies[0] != "*" else "",
        include=frozenset(identifier.keys),
    )


def query_of(identifier: Identifier, options: Options) -> Search:
    """Return the search an identifier stands for, with keys that have no index."""
    search = search_of(identifier)
    told: list[tuple[tuple[int, ...], str]] = [((tag,), value) for tag, value in search.filters]
    told += identifier.nested
    filters, paths = divided(search.level, told)
    return replace(
        search,
        filters=filters,
        paths=paths,
        fuzzy=options.fuzzy,
        combined=options.combined,
        empty=options.empty,
    )


def _is_supported(identifier: Identifier) -> bool:
    """Tell whether each key that is asked for is kept at the level (status FF01 says when not)."""
    held = KEPT.get(INDEX_LEVEL[identifier.level])
    return all(
        (held is None or tag in held or tag in _TOLD_ANYWHERE) and not is_private(tag)
        for tag in identifier.keys
    )
