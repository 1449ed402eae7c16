"""ITI-51 Multi-Patient Stored Query: documents and folders of several patients, or of all.

Implements ITI TF-2 3.51 with the parameters of 3.18.4.1.2.3.7. `endpoint.py` makes the
transaction; its guard decides whose documents the caller gets to see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from adapters.guard.guard import Guard
from adapters.xds.iti18_registry_stored_query import RegistryStoredQuery
from adapters.xds.query_answers import Asked, Found
from adapters.xds.query_conditions import document_filter, folder_filter
from adapters.xds.refusals import QueryParameterMissing
from kernel.identifiers import PatientKeys
from projections.document_index.view import DocumentIndex

TRANSACTION: Final = "ITI-51"
_DOCUMENT: Final = "$XDSDocumentEntry"
_FOLDER: Final = "$XDSFolder"


def multi_patient_query(
    index: DocumentIndex, patient_keys: PatientKeys, guard: Guard, *, max_results: int
) -> RegistryStoredQuery:
    """Return the transaction: stored queries whose leaves may belong to several patients."""
    return RegistryStoredQuery(
        index,
        patient_keys,
        guard,
        max_results=max_results,
        answers=ANSWERS,
        transaction=TRANSACTION,
    )


def _find_documents(asked: Asked) -> Found:
    wanted = document_filter(asked.query)
    _narrowed(
        asked,
        f"{_DOCUMENT}PatientId",
        f"{_DOCUMENT}ClassCode",
        f"{_DOCUMENT}EventCodeList",
        f"{_DOCUMENT}HealthcareFacilityTypeCode",
    )
    patients = asked.patients(f"{_DOCUMENT}PatientId")
    return Found(documents=asked.look.find_documents(patients, wanted, limit=asked.limit))


def _find_documents_by_reference_id(asked: Asked) -> Found:
    asked.query.groups(f"{_DOCUMENT}ReferenceIdList", required=True)
    patients = asked.patients(f"{_DOCUMENT}PatientId")
    wanted = document_filter(asked.query)
    return Found(documents=asked.look.find_documents(patients, wanted, limit=asked.limit))


def _find_folders(asked: Asked) -> Found:
    wanted = folder_filter(asked.query)
    _narrowed(asked, f"{_FOLDER}PatientId", f"{_FOLDER}CodeList")
    patients = asked.patients(f"{_FOLDER}PatientId")
    return Found(folders=asked.look.find_folders(patients, wanted))


def _narrowed(asked: Asked, *alternatives: str) -> None:
    """Refuse to look through everything: at least one of these must narrow the query."""
    if not any(map(asked.query.has, alternatives)):
        raise QueryParameterMissing(
            f"at least one of {', '.join(alternatives)} is required", attribute=alternatives[0]
        )


ANSWERS: Final[Mapping[str, Callable[[Asked], Found]]] = {
    "urn:uuid:3d1bdb10-39a2-11de-89c2-2f44d94eaa9f": _find_documents,
    "urn:uuid:1191642d-86c4-42d8-b784-f95445f9f0d5": _find_documents_by_reference_id,
    "urn:uuid:50d3f5ac-39a2-11de-a1ca-b366239e58df": _find_folders,
}
"""Query id -> what it selects."""
