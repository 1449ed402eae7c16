"""C-FIND: patients, studies, series and instances that match an identifier.

PS3.7 9.1.2, PS3.4 C.4.1 (Patient Root and Study Root). Called by `association.py`; asks the
study index.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

import sqlalchemy as sa

from adapters.dimse import decode, encode, faults
from adapters.dimse.answer import encode_answer, members, patients
from adapters.dimse.association import Association, response_elements
from adapters.dimse.contexts import Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.query import (
    INDEX_LEVEL,
    STUDY_UID,
    Identifier,
    Level,
    of_patients,
    read_identifier,
)
from kernel.refusals import Refusal
from projections.permissions.policy import clause
from projections.study_index.search import Found, Search

log = logging.getLogger("pianku.dimse")
_PAGE: Final = 2000


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
            association.respond(context, command, word, comment=faults.comment(refusal))
            return
        association.respond(context, command, status)

    def _answer(
        self, association: Association, context: Context, command: Command, octets: bytes
    ) -> int:
        association.may("find", "C-FIND")
        identifier = read_identifier(octets, context)
        limit = association.limits.max_results
        pending = encode.command({**response_elements(command, faults.PENDING), 0x0800: 0})
        sent = 0
        for found, answers in self._pages(association, identifier):
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
        self, association: Association, identifier: Identifier
    ) -> Iterator[tuple[Found, list[Mapping[str, Any]]]]:
        policy = clause(association.subject, "find", "study")
        if identifier.level is Level.PATIENT:
            # A patient's studies may stand on any page: take all of them.
            limit = association.limits.max_results
            search = replace(search_of(of_patients(identifier)), limit=limit)
            found = self._index.find(search, policy=policy)
            yield found, list(patients(found.items))
            return
        search = replace(search_of(identifier), limit=_PAGE)
        while True:
            found = self._index.find(search, policy=policy)
            yield found, [members(item) for item in found.items]
            if not found.more:
                return
            search = replace(search, offset=search.offset + _PAGE)


def search_of(identifier: Identifier) -> Search:
    """Return the search an identifier stands for."""
    studies = identifier.uids(STUDY_UID)
    return Search(
        level=INDEX_LEVEL[identifier.level],
        filters=identifier.filters(),
        study_uid=studies[0] if len(studies) == 1 and studies[0] != "*" else "",
        include=frozenset(identifier.keys),
    )
