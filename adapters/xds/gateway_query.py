"""A stored query as gateways look at it: which community it is for, which patient it names.

Implements ITI TF-2 3.18.4.1.2.3.8 (homeCommunityId) and 3.38.4.1.2. Used by the two gateways of
ITI-38; what else the query says is for the registry that answers it.
"""

from __future__ import annotations

import copy
from typing import Final

from lxml import etree

from adapters.xds import names
from adapters.xds.refusals import QueryParameterMalformed
from adapters.xds.stored_query import StoredQuery, parse_values
from kernel.identifiers import BadIdentifier, PatientId

_QUERY: Final = f"{{{names.RIM}}}AdhocQuery"
_SLOT: Final = f"{{{names.RIM}}}Slot"
_VALUE: Final = f"{{{names.RIM}}}ValueList/{{{names.RIM}}}Value"
_TARGETS: Final = ("$targetCommunityIdList", "$targetHomeCommunityIdList")
_PATIENT_PARAMETERS: Final = frozenset(
    {
        "$XDSDocumentEntryPatientId",
        "$XDSSubmissionSetPatientId",
        "$XDSFolderPatientId",
        "$patientId",
    }
)
_BY_PATIENT: Final = frozenset(
    {
        "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",  # FindDocuments
        "urn:uuid:12941a89-e02e-4be5-967c-ce4bfc8fe492",  # FindDocumentsByReferenceId
        "urn:uuid:f26abbcb-ac74-4422-8a30-edb644bbc1a9",  # FindSubmissionSets
        "urn:uuid:958f3006-baad-4929-a4de-ff1114824431",  # FindFolders
        "urn:uuid:10b545ea-725c-446d-9b95-8aeb444eddf3",  # GetAll
        "urn:uuid:4308b1df-36de-4bef-8e2e-ba91f593c435",  # FindDocumentsExclude
    }
)


class GatewayQuery:
    """One AdhocQueryRequest; raises what `StoredQuery` raises."""

    def __init__(self, body: etree._Element) -> None:
        parsed = StoredQuery(body)  # whatever is wrong with its form is told at once
        self.query_id = parsed.query_id
        self._body = body
        self._slots: dict[str, list[str]] = {}
        for slot in body.iterfind(f"{_QUERY}/{_SLOT}"):
            name = slot.get("name", "").strip()
            values = [one for v in slot.iterfind(_VALUE) for one in _values(name, v.text or "")]
            self._slots.setdefault(name, []).extend(values)
        query = body.find(_QUERY)
        told = "" if query is None else query.get("home", "").strip()
        self.home = told or next(iter(self._slots.get("$homeCommunityId", ())), "")
        """The one community asked for; empty when none is named."""
        self.targets = tuple(home for name in _TARGETS for home in self._slots.get(name, ()))
        """The communities asked for, if the query has a list of them."""
        self.by_patient = self.query_id in _BY_PATIENT
        """Whether it is of the kind that names a patient and so needs no community."""

    def patient(self) -> PatientId | None:
        """Return the patient it names; None when there is none, or none well-formed."""
        for name in _PATIENT_PARAMETERS:
            for text in self._slots.get(name, ()):
                try:
                    return PatientId.parse(text)
                except BadIdentifier:
                    return None
        return None

    def for_community(self, home: str, patient: PatientId | None) -> str:
        """Return the request as it goes to a community: for it, of this patient if one is given."""
        body = copy.deepcopy(self._body)
        for query in body.iterfind(_QUERY):
            if home:
                query.set("home", home)
            for slot in query.iterfind(_SLOT):
                if patient is not None and slot.get("name", "").strip() in _PATIENT_PARAMETERS:
                    for value in slot.iterfind(_VALUE):
                        value.text = f"'{str(patient).replace(chr(39), chr(39) * 2)}'"
        body.tail = None
        return etree.tostring(body, encoding="unicode")


def _values(name: str, text: str) -> list[str]:
    """Return the values of a parameter; of one that is not quoted as it should be, its text."""
    try:
        return [value.strip() for value in parse_values(name, text)]
    except QueryParameterMalformed:
        return [text.strip()] if text.strip() else []
