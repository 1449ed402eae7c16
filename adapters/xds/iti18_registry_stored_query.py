"""ITI-18 Registry Stored Query: find registered objects by a query's id and parameters.

Implements ITI TF-2 3.18; `iti51_multi_patient_query.py` is the same with other queries. Called by
`endpoint.py` in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from adapters.guard.guard import Guard
from adapters.soap.door import Answer, Call
from adapters.xds import encode, encode_objects
from adapters.xds.faults import registry_error
from adapters.xds.query_answers import ANSWERS, Asked, Found, patients_named
from adapters.xds.refusals import QueryUnknown, ResultNotSinglePatient, TooManyResults
from adapters.xds.stored_query import StoredQuery
from kernel.identifiers import PatientKeys
from kernel.refusals import Forbidden, Refusal
from projections.document_index.view import DocumentIndex
from projections.permissions import policy
from registry.access.values import Resource

TRANSACTION: Final = "ITI-18"
_REFERENCES_FOR_ONE: Final = 20


class RegistryStoredQuery:
    """Answers stored queries from the document index."""

    def __init__(
        self,
        index: DocumentIndex,
        patient_keys: PatientKeys,
        guard: Guard,
        *,
        max_results: int = 5000,
        answers: Mapping[str, Callable[[Asked], Found]] = ANSWERS,
        transaction: str = TRANSACTION,
    ) -> None:
        self._index = index
        self._patient_keys = patient_keys
        self._guard = guard
        self._max_results = max_results
        self._answers = answers
        self._transaction = transaction

    def __call__(self, call: Call) -> Answer:
        """Answer one query; what is wrong with it becomes its RegistryErrorList."""
        query_id = ""
        try:
            query = StoredQuery(call.body)
            query_id = query.query_id
            found = self._find(call, query)
        except Forbidden:
            raise
        except Refusal as refusal:
            self._guard.record(
                call.subject,
                "query",
                "failed",
                self._transaction,
                detail=f"{query_id} {refusal.code}".strip(),
            )
            return Answer(encode.query_response((), (registry_error(refusal),)))
        self._guard.record(
            call.subject,
            "query",
            "success",
            self._transaction,
            # Who asked for a patient of whom nothing is found has asked for him all the same.
            patient_keys=sorted(found.patients() | self._named(query)),
            count=found.count(),
            detail=query_id,
        )
        return Answer(encode.query_response(_leaves(found) if query.leaf_class else _refs(found)))

    def _find(self, call: Call, query: StoredQuery) -> Found:
        select = self._answers.get(query.query_id)
        if select is None:
            raise QueryUnknown(f"no stored query has the id {query.query_id[:80]}")
        for key in self._named(query) or (None,):
            resource = Resource("document", key)
            self._guard.check(call.subject, "query", resource, transaction=self._transaction)
        within = policy.clause(call.subject, "query", "document")
        limit = self._max_results if query.leaf_class else self._max_results * _REFERENCES_FOR_ONE
        first = query.metadata_level() < 2
        statuses = query.association_statuses()
        with self._index.reading(
            within=within, current_only=first, association_statuses=statuses
        ) as look:
            found = select(Asked(query, look, self._patient_keys, limit + 1))
        if found.count() > limit:
            way_out = ": ask for ObjectRef, or for less" if query.leaf_class else ""
            raise TooManyResults(f"the query finds more than {limit} objects{way_out}")
        one_patient = self._answers is ANSWERS
        if one_patient and query.leaf_class and len(found.patients()) > 1:
            raise ResultNotSinglePatient(
                "the objects belong to several patients: ask for ObjectRef"
            )
        return found

    def _named(self, query: StoredQuery) -> frozenset[UUID]:
        """Return the keys of the patients that a query names."""
        return frozenset(map(self._patient_keys.key, patients_named(query)))


def _leaves(found: Found) -> list[str]:
    return [
        *(encode_objects.document_entry(row.entry()) for row in found.documents),
        *(encode_objects.submission_set(row.submission_set()) for row in found.submission_sets),
        *(encode_objects.folder(row.folder()) for row in found.folders),
        *(encode_objects.association(row.association()) for row in found.associations),
    ]


def _refs(found: Found) -> list[str]:
    return [encode_objects.object_ref(uuid) for uuid in found.uuids()]
