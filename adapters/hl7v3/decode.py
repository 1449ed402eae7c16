"""HL7 v3 messages -> what they say: wrapper, identifiers, a person.

Implements the wrappers of ITI TF-2 Appendix O.1 and the person of 3.44.4.1.2 (PRPA_MT201301UV02,
201302UV02, 201303UV02). Reads elements by their names, whatever stands between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from adapters.hl7v3.names import HL7
from adapters.hl7v3.refusals import DomainUnknown, ElementMalformed, RequiredElementMissing
from adapters.soap.faults import SoapFault
from kernel.identifiers import BadIdentifier, PatientId
from registry.patients.values import IdentityDomains, Told

_HAN: Final = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_TIME: Final = re.compile(
    r"([0-9]{4}(?:[0-9]{2}){0,2})(?:[0-9]{2}){0,3}(?:\.[0-9]{1,4})?(?:[+-][0-9]{4})?"
)
_SEXES: Final = {"M": "M", "F": "F", "UN": "O", "O": "O", "U": "", "UNK": ""}
_GROUPS: Final = {"ABC": 0, "IDE": 1, "SYL": 2, "PHON": 2}
"""EN.use -> component group of a DICOM PN (PS3.5 6.2.1)."""
_MAX_TEXT: Final = 1024


@dataclass(frozen=True, slots=True)
class Identifier:
    """An II: root and extension, as they stand."""

    root: str = ""
    extension: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """An interaction: its name, its id, its sender, and the element itself."""

    interaction: str
    identifier: Identifier
    sender: Identifier
    element: etree._Element

    def path(self, *names: str) -> etree._Element | None:
        """Return the element at `controlActProcess/...`, None if there is none."""
        return child(self.element, "controlActProcess", *names)

    def required(self, *names: str) -> etree._Element:
        """Return the element at `controlActProcess/...`; raises RequiredElementMissing."""
        found = self.path(*names)
        if found is None:
            raise RequiredElementMissing(f"{names[-1]} is missing", at=self.location(*names))
        return found

    def location(self, *names: str) -> str:
        """Return the XPath of an element of the control act."""
        return "/".join(("", self.interaction, "controlActProcess", *names))


def message(body: etree._Element, *expected: str) -> Message:
    """Return the interaction in a SOAP body; raises SoapFault unless it is one of `expected`."""
    name = etree.QName(body)
    if name.namespace != HL7 or name.localname not in expected:
        raise SoapFault(f"the Body must hold {' or '.join(expected)} of {HL7}")
    sender = child(body, "sender", "device")
    return Message(
        name.localname,
        next(identifiers(body), Identifier()),
        Identifier() if sender is None else next(identifiers(sender), Identifier()),
        body,
    )


def child(element: etree._Element, *names: str) -> etree._Element | None:
    """Return the first element at a path of names."""
    return element.find("/".join(f"{{{HL7}}}{name}" for name in names))


def children(element: etree._Element, *names: str) -> list[etree._Element]:
    """Return all elements at a path of names."""
    return element.findall("/".join(f"{{{HL7}}}{name}" for name in names))


def identifiers(element: etree._Element, name: str = "id") -> Iterator[Identifier]:
    """Yield the IIs below an element; a set of `item`s (the datatypes of ISO 21090) too."""
    for one in children(element, name):
        for held in (one, *children(one, "item")):
            root = held.get("root", "").strip()
            if root and not held.get("nullFlavor"):
                yield Identifier(root, held.get("extension", "").strip())


def patient_ids(
    elements: list[etree._Element], domains: IdentityDomains, at: str
) -> list[PatientId]:
    """Return those identifiers that are of our domains, the affinity domain's first.

    Raises RequiredElementMissing when there is none at all, DomainUnknown when none is ours.
    """
    found: dict[str, PatientId] = {}
    foreign = False
    for element in elements:
        for one in identifiers(element):
            domain = domains.find(one.root)
            if domain is None or not one.extension:
                foreign = True
                continue
            patient_id = patient_id_of(one, at)
            if found.setdefault(domain.oid, patient_id) != patient_id:
                raise ElementMalformed("a domain has two identifiers of one patient", at=at)
    if not found and foreign:
        raise DomainUnknown("no identifier of the patient is of a domain known here", at=at)
    if not found:
        raise RequiredElementMissing("the patient has no identifier", at=at)
    return sorted(found.values(), key=lambda one: one.authority != domains.affinity.oid)


def patient_id_of(one: Identifier, at: str) -> PatientId:
    """Return an II as a patient id; raises ElementMalformed."""
    try:
        return PatientId(one.extension, one.root)
    except BadIdentifier as problem:
        raise ElementMalformed(problem.message, at=at) from None


def told(person: etree._Element | None, at: str) -> Told:
    """Return what a patientPerson (or person) says; raises ElementMalformed."""
    if person is None:
        return Told()
    return Told(
        name=_names(person),
        birth_date=_birth_date(person, at),
        sex=_sex(person, at),
        address=_first(children(person, "addr"), _text),
        telephone=_first(children(person, "telecom"), _telephone),
    )


def date(text: str, at: str) -> str:
    """Return the date of a TS; raises ElementMalformed."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ElementMalformed("a time is not YYYY[MM[DD[...]]]", at=at)
    return found[1]


def sex_of(code: str, at: str) -> str:
    """Return M, F, O or empty for an administrativeGenderCode; raises ElementMalformed."""
    try:
        return _SEXES[code.strip().upper()]
    except KeyError:
        raise ElementMalformed("a gender is none of M, F, UN", at=at) from None


def name_parts(name: etree._Element) -> tuple[str, str]:
    """Return family and given names of an EN; of one without parts the whole as the first."""
    family = " ".join(filter(None, map(_text, children(name, "family"))))
    given = " ".join(filter(None, map(_text, children(name, "given"))))
    return (family, given) if family or given else (_text(name), "")


def _names(person: etree._Element) -> str | None:
    groups = ["", "", ""]
    for name in children(person, "name"):
        if name.get("nullFlavor"):
            continue
        text = _person_name(name)
        uses = [_GROUPS[use] for use in name.get("use", "").split() if use in _GROUPS]
        group = uses[0] if uses else int(_HAN.search(text) is not None)
        # The legal name comes first; of equal ones the first counts.
        if text and not groups[group]:
            groups[group] = text
    return "=".join(groups).rstrip("=") or None


def _person_name(name: etree._Element) -> str:
    family, given = name_parts(name)
    first, _, middle = given.partition(" ")
    parts = (family, first, middle, *(
        " ".join(filter(None, map(_text, children(name, part)))) for part in ("prefix", "suffix")
    ))  # fmt: skip
    return "^".join(re.sub(r"[\^=\\\r\n]", " ", part).strip() for part in parts).rstrip("^")


def _birth_date(person: etree._Element, at: str) -> str | None:
    element = child(person, "birthTime")
    text = "" if element is None else element.get("value", "")
    return date(text, f"{at}/birthTime") if text else None


def _sex(person: etree._Element, at: str) -> str | None:
    element = child(person, "administrativeGenderCode")
    code = "" if element is None else element.get("code", "")
    return sex_of(code, f"{at}/administrativeGenderCode") if code else None


def _telephone(element: etree._Element) -> str:
    scheme, colon, number = element.get("value", "").strip().partition(":")
    return (number if colon and scheme.lower() == "tel" else "") or (scheme if not colon else "")


def _first(elements: list[etree._Element], read: object) -> str | None:
    assert callable(read)
    return next((text for text in map(read, elements) if text), None)


def _text(element: etree._Element) -> str:
    """Return all text below an element, its pieces parted by single blanks."""
    if element.get("nullFlavor"):
        return ""
    return " ".join(" ".join(str(piece) for piece in element.itertext()).split())[:_MAX_TEXT]
