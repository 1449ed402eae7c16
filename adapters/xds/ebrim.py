"""One ebRIM object taken apart: slots, names, classifications, external identifiers.

Implements the coding rules of ITI TF-3 4.2.3.1 (slots, codes, identifiers), strictly: what
occurs twice or is not asked for by the end is refused. Used by `decode_objects.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from lxml import etree

from adapters.xds import names
from kernel.codes import Code
from registry.documents.refusals import MetadataInvalid
from registry.documents.values import Author, Slot

_SLOT = f"{{{names.RIM}}}Slot"
_NAME = f"{{{names.RIM}}}Name"
_DESCRIPTION = f"{{{names.RIM}}}Description"
_VERSION_INFO = f"{{{names.RIM}}}VersionInfo"
_CLASSIFICATION = f"{{{names.RIM}}}Classification"
_IDENTIFIER = f"{{{names.RIM}}}ExternalIdentifier"
_LOCALIZED = f"{{{names.RIM}}}LocalizedString"
_LIST = f"{{{names.RIM}}}ValueList"
_VALUE = f"{{{names.RIM}}}Value"


class EbrimObject:
    """An ExtrinsicObject, RegistryPackage, Association or Classification being read."""

    def __init__(self, element: etree._Element, kind: str) -> None:
        self.element = element
        self.kind = kind
        self.id = element.get("id", "").strip()
        self.title = ""
        self.comments = ""
        self.version_name = ""
        self.nodes: list[str] = []
        """classificationNodes of the classifications inside."""
        self._slots: dict[str, tuple[str, ...]] = {}
        self._codes: dict[str, list[etree._Element]] = {}
        self._identifiers: dict[str, str] = {}
        for child in element:
            self._take(child)

    def refusal(self, attribute: str, why: str) -> MetadataInvalid:
        """Return the refusal of one attribute of this object."""
        return MetadataInvalid(
            f"{self.kind}.{attribute} {why} ({self.id})", attribute=attribute, object=self.id
        )

    def one(self, name: str) -> str:
        """Take a slot of at most one value."""
        values = self.many(name)
        if len(values) > 1:
            raise self.refusal(name, "has more than one value")
        return values[0] if values else ""

    def many(self, name: str) -> tuple[str, ...]:
        """Take a slot of any number of values."""
        return self._slots.pop(name, ())

    def number(self, name: str) -> int | None:
        """Take a slot that holds one count."""
        text = self.one(name)
        if not text:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise self.refusal(name, f"{text[:32]!r} is not a count")
        return int(text)

    def identifier(self, scheme: str) -> str:
        """Take an external identifier; empty when it is missing."""
        return self._identifiers.pop(scheme, "")

    def code(self, scheme: str, attribute: str) -> Code | None:
        """Take a classification that may occur once."""
        codes = self.codes(scheme, attribute)
        if len(codes) > 1:
            raise self.refusal(attribute, "occurs more than once")
        return codes[0] if codes else None

    def codes(self, scheme: str, attribute: str) -> tuple[Code, ...]:
        """Take classifications that may occur any number of times."""
        return tuple(self._code(c, attribute) for c in self._codes.pop(scheme, ()))

    def authors(self, scheme: str) -> tuple[Author, ...]:
        """Take the author classifications (ITI TF-3 4.2.3.1.4)."""
        return tuple(self._author(c) for c in self._codes.pop(scheme, ()))

    def rest(self) -> tuple[Slot, ...]:
        """Return the slots nobody took; refuse other things nobody took."""
        for scheme in self._codes:
            raise self.refusal("Classification", f"has the unknown scheme {scheme[:80]}")
        for scheme in self._identifiers:
            raise self.refusal("ExternalIdentifier", f"has the unknown scheme {scheme[:80]}")
        return tuple(Slot(name, values) for name, values in self._slots.items())

    def _take(self, child: etree._Element) -> None:
        tag = child.tag
        if tag == _SLOT:
            self._slot(child)
        elif tag == _NAME:
            self.title = localized(child)
        elif tag == _DESCRIPTION:
            self.comments = localized(child)
        elif tag == _VERSION_INFO:
            self.version_name = child.get("versionName", "")
        elif tag == _CLASSIFICATION:
            self._classification(child)
        elif tag == _IDENTIFIER:
            self._identifier(child)

    def _slot(self, child: etree._Element) -> None:
        name = child.get("name", "").strip()
        if name in self._slots:
            raise self.refusal(name, "occurs twice")
        values = tuple((v.text or "").strip() for v in child.iterfind(f"{_LIST}/{_VALUE}"))
        if not values or not all(values):
            raise self.refusal(name, "holds no value or an empty one")
        self._slots[name] = values

    def _classification(self, child: etree._Element) -> None:
        if not _same(child.get("classifiedObject", ""), self.id):
            raise self.refusal("Classification", "classifies another object than the one it is in")
        node = child.get("classificationNode", "").strip().lower()
        if node:
            if node in names.LIMITED_METADATA:
                raise self.refusal("limitedMetadata", "is not accepted by a registry")
            self.nodes.append(node)
            return
        scheme = child.get("classificationScheme", "").strip().lower()
        self._codes.setdefault(scheme, []).append(child)

    def _identifier(self, child: etree._Element) -> None:
        if not _same(child.get("registryObject", ""), self.id):
            raise self.refusal("ExternalIdentifier", "belongs to another object than it is in")
        scheme = child.get("identificationScheme", "").strip().lower()
        if scheme in self._identifiers:
            raise self.refusal("ExternalIdentifier", f"of scheme {scheme[:80]} occurs twice")
        self._identifiers[scheme] = child.get("value", "").strip()

    def _code(self, element: etree._Element, attribute: str) -> Code:
        inner = _inside(element, self)
        value = element.get("nodeRepresentation", "").strip()
        scheme = inner.one("codingScheme")
        if not value or not scheme or inner.rest():
            raise self.refusal(attribute, "needs a nodeRepresentation and one codingScheme slot")
        return Code(value, scheme, inner.title)

    def _author(self, element: etree._Element) -> Author:
        inner = _inside(element, self)
        author = Author(
            person=inner.one("authorPerson"),
            institutions=inner.many("authorInstitution"),
            roles=inner.many("authorRole"),
            specialties=inner.many("authorSpecialty"),
            telecommunications=inner.many("authorTelecommunication"),
        )
        for slot in inner.rest():
            raise self.refusal("author", f"has the unknown slot {slot.name[:80]}")
        return author


def localized(element: etree._Element) -> str:
    """Return the text of a Name or Description; of several languages the first that says any."""
    texts = (string.get("value", "") for string in element.iterfind(_LOCALIZED))
    return next((text for text in texts if text), "")


def _same(text: str, own: str) -> bool:
    text = text.strip()
    # A UUID is the same in capitals; a symbolic id is not.
    return text == own or (own[:9].lower() == "urn:uuid:" and text.lower() == own.lower())


def _inside(element: etree._Element, owner: EbrimObject) -> EbrimObject:
    inner = EbrimObject(element, f"{owner.kind} Classification")
    inner.id = owner.id
    return inner


class Ids:
    """The ids of one submission: `urn:uuid:` ones as they are, symbolic ones made new."""

    def __init__(self, defined: Iterable[str], make: Iterable[UUID]) -> None:
        fresh = iter(make)
        self._known: dict[str, UUID] = {}
        taken: set[UUID] = set()
        for text in defined:
            uuid = self._parse(text) or next(fresh)
            if text in self._known or uuid in taken:
                raise MetadataInvalid(f"the id {text[:80]} occurs twice", attribute="id")
            taken.add(uuid)
            self._known[text] = uuid

    def defined(self, text: str) -> UUID | None:
        """Return the entryUUID behind an id of the submission, None when it defines none."""
        return self._known.get(text)

    def referred(self, text: str) -> UUID | None:
        """Return the entryUUID an id stands for; None for an undefined symbolic id."""
        return self._known.get(text) or self._parse(text)

    @staticmethod
    def _parse(text: str) -> UUID | None:
        if text[:9].lower() != "urn:uuid:":
            return None
        try:
            return UUID(text[9:])
        except ValueError:
            raise MetadataInvalid(f"the id {text[:80]} is not a UUID", attribute="id") from None
