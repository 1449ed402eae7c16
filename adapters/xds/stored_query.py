"""The parameters of a stored query: SQL-like values, AND by repeated slots, OR within one.

Implements ITI TF-2 3.18.4.1.2.3.5 (coding of values) and 3.18.4.1.2.3.6 (OR and AND).
Called by `iti18_registry_stored_query.py`; raises the refusals of this room.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar
from uuid import UUID

from lxml import etree

from adapters.soap.faults import SoapFault
from adapters.xds import names
from adapters.xds.refusals import (
    QueryParameterCount,
    QueryParameterMalformed,
    QueryParameterMissing,
)
from adapters.xds.validation import complaint
from kernel.codes import Code
from kernel.identifiers import BadIdentifier, PatientId, entry_uuid
from kernel.refusals import Invalid
from kernel.times import check_dtm
from projections.document_index.filters import TimeRange
from registry.documents.values import Status

T = TypeVar("T")

_REQUEST: Final = f"{{{names.QUERY}}}AdhocQueryRequest"
_OPTION: Final = f"{{{names.QUERY}}}ResponseOption"
_QUERY: Final = f"{{{names.RIM}}}AdhocQuery"
_SLOT: Final = f"{{{names.RIM}}}Slot"
_VALUE: Final = f"{{{names.RIM}}}ValueList/{{{names.RIM}}}Value"
_TOKEN: Final = re.compile(r"\s*(?:'((?:[^']|'')*)'|(-?[0-9]+(?:\.[0-9]+)?))\s*(,|$)")
_STATUSES: Final = {f"{names.STATUS}{status}": status for status in Status}
_MAX_VALUES: Final = 5000
# The parameters that may be given several times, each further one narrowing (table 3.18.4.1.2.3.7).
_REPEATABLE: Final = frozenset(
    {
        "$XDSDocumentEntryEventCodeList",
        "$XDSDocumentEntryConfidentialityCode",
        "$XDSDocumentEntryReferenceIdList",
        "$XDSFolderCodeList",
        "$XDSDocumentEntryEventCodeListExclude",
        "$XDSDocumentEntryConfidentialityCodeExclude",
        "$XDSDocumentEntryReferenceIdListExclude",
    }
)


class StoredQuery:
    """One AdhocQueryRequest: which query, what it returns, and its parameters."""

    def __init__(self, body: etree._Element) -> None:
        if body.tag != _REQUEST:
            raise SoapFault("the Body must hold AdhocQueryRequest")
        wrong = complaint(body, "query.xsd")
        if wrong:
            raise QueryParameterMalformed(wrong)
        option, query = body.find(_OPTION), body.find(_QUERY)
        assert option is not None
        assert query is not None
        self.query_id = query.get("id", "").strip().lower()
        returned = option.get("returnType", "RegistryObject")
        if returned not in {"LeafClass", "ObjectRef"}:
            raise QueryParameterMalformed(f"returnType {returned} is not served")
        self.leaf_class = returned == "LeafClass"
        # Parsed when asked for: what a query does not know is ignored, however it is written.
        self._texts: dict[str, list[list[str]]] = {}
        for slot in query.iterfind(_SLOT):
            texts = [v.text or "" for v in slot.iterfind(_VALUE)]
            self._texts.setdefault(slot.get("name", "").strip(), []).append(texts)

    def has(self, name: str) -> bool:
        """Tell whether a parameter is given with at least one value."""
        return any(self._texts.get(name, ()))

    def groups(self, name: str, *, required: bool = False) -> list[tuple[str, ...]]:
        """Return the values of a parameter that may be repeated: AND of ORs."""
        found = [
            tuple(value for text in texts for value in parse_values(name, text))
            for texts in self._texts.get(name, ())
            if texts
        ]
        if not found and required:
            raise QueryParameterMissing(f"{name} is required", attribute=name)
        if len(found) > 1 and name not in _REPEATABLE:
            raise QueryParameterCount(f"{name} may be given once only", attribute=name)
        return found

    def many(self, name: str, *, required: bool = False) -> tuple[str, ...]:
        """Return the values of a parameter given at most once."""
        found = self.groups(name, required=required)
        if len(found) > 1:
            raise QueryParameterCount(f"{name} may be given once only", attribute=name)
        values = found[0] if found else ()
        if len(values) > _MAX_VALUES:
            raise QueryParameterCount(f"{name} has too many values", attribute=name)
        return values

    def one(self, name: str, *, required: bool = False) -> str:
        """Return the value of a parameter of a single value; empty when it is absent."""
        values = self.many(name, required=required)
        if len(values) > 1:
            raise QueryParameterCount(f"{name} takes one value", attribute=name)
        return values[0] if values else ""

    def exactly_one_of(self, *alternatives: str) -> str:
        """Return which one of these parameters is given."""
        given = [name for name in alternatives if self.has(name)]
        if not given:
            raise QueryParameterMissing(
                f"one of {', '.join(alternatives)} is required", attribute=alternatives[0]
            )
        self.apart(*alternatives)
        return given[0]

    def patient(self, name: str) -> PatientId:
        """Return the required patient id."""
        return _patient(name, self.one(name, required=True))

    def patients(self, name: str) -> tuple[PatientId, ...]:
        """Return the patient ids of a query that may ask for several, or for none."""
        return tuple(_patient(name, value) for value in self.many(name))

    def statuses(self, name: str) -> tuple[Status, ...]:
        """Return the required statuses; what is no status is as if it were not given."""
        told = (_STATUSES.get(value.strip()) for value in self.many(name, required=True))
        known = tuple(status for status in told if status is not None)
        if not known:
            raise QueryParameterMissing(f"{name} names no status known here", attribute=name)
        return known

    def metadata_level(self) -> int:
        """Return the level of metadata the consumer understands (ITI TF-2 3.18.4.1.2.3.5.1)."""
        text = self.one("$MetadataLevel") or "1"
        if text not in {"1", "2"}:
            raise QueryParameterMalformed(
                "$MetadataLevel: 1 or 2 may be asked for", attribute="$MetadataLevel"
            )
        return int(text)

    def association_statuses(self) -> tuple[Status, ...]:
        """Return which associations are shown; level 1 knows of no deprecated ones."""
        name = "$XDSAssociationStatus"
        if self.metadata_level() < 2 or not self.has(name):
            return (Status.APPROVED,)
        return self.statuses(name)

    def apart(self, *alternatives: str) -> None:
        """Refuse a query that gives more than one of these parameters."""
        given = [name for name in alternatives if self.has(name)]
        if len(given) > 1:
            raise QueryParameterCount(
                f"{' and '.join(given)} exclude each other", attribute=given[1]
            )

    def uuids(self, name: str, *, required: bool = False) -> tuple[UUID, ...]:
        """Return entryUUIDs."""
        return tuple(
            self._read(name, value.lower(), entry_uuid)
            for value in self.many(name, required=required)
        )

    def codes(self, name: str) -> tuple[Code, ...]:
        """Return codes of a parameter given at most once."""
        return tuple(self._read(name, value, _code) for value in self.many(name))

    def code_groups(self, name: str) -> tuple[tuple[Code, ...], ...]:
        """Return codes of a parameter that may be repeated: AND of ORs."""
        return tuple(
            tuple(self._read(name, value, _code) for value in values)
            for values in self.groups(name)
        )

    def times(self, name: str) -> TimeRange:
        """Return the range that `<name>From` and `<name>To` give."""
        ends = [self.one(f"{name}{end}") for end in ("From", "To")]
        for end, text in zip(("From", "To"), ends, strict=True):
            if text:
                self._read(f"{name}{end}", text, check_dtm)
        return TimeRange(*ends)

    @staticmethod
    def _read(name: str, value: str, parse: Callable[[str], T]) -> T:
        try:
            return parse(value.strip())
        except (Invalid, KeyError):
            raise QueryParameterMalformed(
                f"{name}: {value[:128]!r} is not coded as it must be", attribute=name
            ) from None


def parse_values(name: str, text: str) -> list[str]:
    """Return the values in one slot value: `'a'`, `('a','b')` or a bare number."""
    text = text.strip()
    listed = text.startswith("(") and text.endswith(")")
    inner = text[1:-1] if listed else text
    found: list[str] = []
    at = 0
    while at < len(inner) or not found:
        token = _TOKEN.match(inner, at)
        if token is None or (token[3] == "," and (not listed or token.end() == len(inner))):
            raise QueryParameterMalformed(
                f"{name}: values must be quoted, lists in parentheses", attribute=name
            )
        quoted = token[1]
        found.append(token[2] if quoted is None else quoted.replace("''", "'"))
        at = token.end()
    return found


def _patient(name: str, text: str) -> PatientId:
    try:
        return PatientId.parse(text.strip())
    except BadIdentifier:
        # The value identifies a person: only the name is told.
        raise QueryParameterMalformed(
            f"{name} needs the form id^^^&OID&ISO", attribute=name
        ) from None


def _code(text: str) -> Code:
    parts = text.split("^")
    if len(parts) < 3 or not parts[0] or not parts[2]:
        raise KeyError(text)
    return Code(parts[0], parts[2])
