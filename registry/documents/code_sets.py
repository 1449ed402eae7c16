"""The affinity domain's code sets: which codes an attribute may carry.

Implements the vocabulary rule of ITI TF-3 4.2.3.1 (codes are those of the affinity domain).
`CodeSets.parse` reads a file of `schemas/codes`; `commands.register` checks submissions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

import msgspec

from kernel.codes import Code
from kernel.identifiers import urn
from registry.documents.code_systems import CodingSystem
from registry.documents.refusals import CodeUnknown
from registry.documents.values import Submission


class AllowedCode(msgspec.Struct, frozen=True, kw_only=True):
    """One code as a code-set file holds it."""

    code: str
    scheme: str
    display: str = ""
    display_zh: str = ""


class CodeSet(msgspec.Struct, frozen=True, kw_only=True):
    """The codes of one attribute; when not `enforced` any code passes."""

    enforced: bool = True
    codes: tuple[AllowedCode, ...] = ()
    systems: tuple[CodingSystem, ...] = ()
    """Coding systems all of whose codes are allowed."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    types: dict[str, CodeSet]


class CodeSets:
    """The code sets of one affinity domain, by attribute name (`classCode`, ...)."""

    def __init__(self, sets: Mapping[str, CodeSet], *, name: str = "") -> None:
        self.name = name
        self.sets = dict(sets)
        self._allowed = {
            attribute: frozenset((c.code, c.scheme) for c in found.codes)
            for attribute, found in sets.items()
            if found.enforced
        }
        self._systems = {
            (attribute, system.scheme): system
            for attribute, found in sets.items()
            for system in found.systems
        }

    @classmethod
    def parse(cls, text: bytes) -> CodeSets:
        """Read a code-set file; raises `msgspec.ValidationError` when it is none."""
        file = msgspec.json.decode(text, type=_File)
        return cls(file.types, name=file.name)

    def without(self, attributes: Iterable[str]) -> CodeSets:
        """Return these code sets with some attributes no longer enforced."""
        off = set(attributes)
        sets = {
            name: msgspec.structs.replace(found, enforced=found.enforced and name not in off)
            for name, found in self.sets.items()
        }
        return CodeSets(sets, name=self.name)

    def check(self, attribute: str, codes: Iterable[Code], *, object_id: UUID) -> None:
        """Refuse a code that the attribute's set, if enforced, does not hold."""
        allowed = self._allowed.get(attribute)
        if allowed is None:
            return
        for code in codes:
            if (code.value, code.scheme) in allowed:
                continue
            system = self._systems.get((attribute, code.scheme))
            if system is None or not system.holds(code.value):
                raise CodeUnknown(
                    f"{attribute} {str(code)!r} is not in the code set of the affinity domain",
                    attribute=attribute,
                    value=str(code),
                    object=urn(object_id),
                )

    def check_submission(self, submission: Submission) -> None:
        """Refuse a submission that carries a code outside its set."""
        whole = submission.submission_set
        if whole.content_type_code is not None:
            self.check("contentTypeCode", (whole.content_type_code,), object_id=whole.entry_uuid)
        for folder in submission.folders:
            self.check("codeList", folder.codes, object_id=folder.entry_uuid)
        for entry in submission.entries:
            for attribute, codes in (
                ("classCode", _one(entry.class_code)),
                ("typeCode", _one(entry.type_code)),
                ("formatCode", _one(entry.format_code)),
                ("healthcareFacilityTypeCode", _one(entry.healthcare_facility_type_code)),
                ("practiceSettingCode", _one(entry.practice_setting_code)),
                ("confidentialityCode", entry.confidentiality_codes),
                ("eventCodeList", entry.event_codes),
            ):
                self.check(attribute, codes, object_id=entry.entry_uuid)
        for association in submission.associations:
            self.check(
                "associationDocumentation",
                _one(association.documentation),
                object_id=association.entry_uuid,
            )

    def display(self, attribute: str, code: Code, language: str = "") -> str:
        """Return what a person reads for a code: in Chinese for `zh`, else as in the set."""
        found = self.sets.get(attribute)
        for allowed in found.codes if found else ():
            if (allowed.code, allowed.scheme) == (code.value, code.scheme):
                chinese = allowed.display_zh if language.startswith("zh") else ""
                return chinese or allowed.display or code.display
        return code.display or code.value


def _one(code: Code | None) -> tuple[Code, ...]:
    return (code,) if code is not None else ()


NO_CODE_SETS: Final = CodeSets({})
"""Lets every code pass."""
