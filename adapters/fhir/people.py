"""People and organisations: the XCN, XON and XTN of XDS and the resources FHIR has for them.

Implements the mapping of author, legalAuthenticator and intendedRecipient of IHE MHD 3:4.5.1 and
ITI TF-3 4.2.3.1.7. Used by `decode_documents.py`, `encode_documents.py` and `search.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.fhir.codes import authority_of
from adapters.fhir.element import Element, Json
from registry.documents.values import Author

_DELIMITERS: Final = str.maketrans(dict.fromkeys("^&~|\r\n", " "))
_PHONES: Final = {"PH": "phone", "CP": "phone", "FX": "fax", "BP": "pager", "Internet": "email"}
_TYPES: Final = {"phone": "PH", "fax": "FX", "pager": "BP", "sms": "CP"}
_PRACTITIONER: Final = "practitioner"

Finder = Callable[[Element], Element]
"""Returns the resource a Reference points at, an empty element when it is not at hand."""


@dataclass(frozen=True, slots=True)
class Name:
    """Family and given names of an XCN."""

    family: str
    given: tuple[str, ...]


def name_of(xcn: str) -> Name:
    """Return the name in an XCN."""
    parts = [*xcn.split("^"), "", "", "", ""]
    family = parts[1].split("&")[0]
    return Name(family, tuple(part for part in (parts[2], *parts[3].split(" ")) if part))


def practitioner(xcn: str, local_id: str, telecoms: tuple[str, ...] = ()) -> Json:
    """Return the Practitioner an XCN describes."""
    parts = [*xcn.split("^"), *[""] * 12]
    made: Json = {"resourceType": "Practitioner", "id": local_id}
    if parts[0]:
        made["identifier"] = [_identifier(parts[0], parts[8])]
    name: Json = {}
    told = name_of(xcn)
    if told.family:
        name["family"] = told.family
    if told.given:
        name["given"] = list(told.given)
    for key, text in (("prefix", parts[5]), ("suffix", parts[4])):
        if text:
            name[key] = [text]
    if name:
        made["name"] = [name]
    contacts = [point for text in telecoms if (point := contact(text))]
    return made | ({"telecom": contacts} if contacts else {})


def organization(xon: str, local_id: str) -> Json:
    """Return the Organization an XON describes."""
    parts = [*xon.split("^"), *[""] * 11]
    made: Json = {"resourceType": "Organization", "id": local_id}
    if parts[9]:
        made["identifier"] = [_identifier(parts[9], parts[5])]
    return made | ({"name": parts[0]} if parts[0] else {})


def author_resources(author: Author, local_id: str) -> tuple[list[Json], str]:
    """Return the contained resources of an author, and the id of the one that stands for him."""
    whole = author.institutions or author.roles or author.specialties
    if author.person and not whole:
        return [practitioner(author.person, local_id, author.telecommunications)], local_id
    organizations = [
        organization(xon, f"{local_id}o{number}")
        for number, xon in enumerate(author.institutions, 1)
    ]
    if not author.person and len(organizations) == 1 and not (author.roles or author.specialties):
        (only,) = organizations
        contacts = [point for text in author.telecommunications if (point := contact(text))]
        return [only | ({"telecom": contacts} if contacts else {})], str(only["id"])
    role: Json = {"resourceType": "PractitionerRole", "id": local_id}
    made: list[Json] = list(organizations)
    if author.person:
        made.append(practitioner(author.person, f"{local_id}p"))
        role[_PRACTITIONER] = {"reference": f"#{local_id}p"}
    if organizations:
        role["organization"] = {"reference": f"#{organizations[0]['id']}"}
    for key, texts in (("code", author.roles), ("specialty", author.specialties)):
        if texts:
            role[key] = [{"text": text} for text in texts]
    contacts = [point for text in author.telecommunications if (point := contact(text))]
    if contacts:
        role["telecom"] = contacts
    # An organisation that nothing points at may not be contained: the others stand by extension.
    more = [{"reference": f"#{one['id']}"} for one in organizations[1:]]
    if more:
        role = {
            "resourceType": role.pop("resourceType"),
            "id": role.pop("id"),
            "extension": [
                {"url": "urn:pianku:further-organization", "valueReference": one} for one in more
            ],
            **role,
        }
    return [*made, role], local_id


def contact(xtn: str) -> Json:
    """Return the ContactPoint of an XTN, empty when it tells nothing."""
    parts = [*xtn.split("^"), *[""] * 12]
    kind = _PHONES.get(parts[2], "phone")
    value = parts[3] or parts[0] if kind == "email" or parts[3] else parts[0] or parts[11]
    if not value and parts[6]:
        value = "-".join(part for part in (parts[4], parts[5], parts[6]) if part)
    if not value:
        return {}
    return {"system": "email" if parts[3] and "@" in value else kind, "value": value}


def author_of(told: Element, find: Finder) -> Author:
    """Return the author that a resource describes, with what it refers to."""
    match told.type:
        case "Organization":
            return Author(institutions=_some(xon_of(told)), telecommunications=_contacts(told))
        case "PractitionerRole":
            person = find(told.first(_PRACTITIONER))
            places = [find(told.first("organization"))]
            places += [
                find(e.first("valueReference")) for e in told.extensions("further-organization")
            ]
            display = told.first(_PRACTITIONER).text("display")
            return Author(
                person=xcn_of(person) or _xcn(family=display),
                institutions=tuple(
                    xon for place in places for xon in _some(xon_of(place))
                ) or _some(_plain(told.first("organization").text("display"))),
                roles=tuple(_concepts(told, "code")),
                specialties=tuple(_concepts(told, "specialty")),
                telecommunications=_contacts(told) or _contacts(person),
            )  # fmt: skip
        case "Device":
            name = told.text("deviceName", "name") or told.text("distinctIdentifier")
            return Author(person=_xcn(family=name or told.text("type", "text") or "device"))
        case _:
            return Author(person=xcn_of(told), telecommunications=_contacts(told))


def xcn_of(person: Element) -> str:
    """Return the XCN of a Practitioner, Patient or RelatedPerson, empty when it says nothing."""
    name, identifier = person.first("name"), person.first("identifier")
    given = name.texts("given")
    return _xcn(
        identifier.text("value"),
        name.text("family") or ("" if given else name.text("text")),
        given[0] if given else "",
        " ".join(given[1:]),
        name.text("suffix"),
        name.text("prefix"),
        authority=authority_of(identifier.text("system")),
    )


def xon_of(place: Element) -> str:
    """Return the XON of an Organization, empty when it has neither name nor id."""
    name, identifier = _plain(place.text("name")), place.first("identifier")
    value, oid = _plain(identifier.text("value")), authority_of(identifier.text("system"))
    if value and oid:
        return f"{name or value}^^^^^&{oid}&ISO^^^^{value}"
    return name or value


def display_author(told: str) -> Author:
    """Return the author of whom nothing is told but how to show him."""
    return Author(person=_xcn(family=told))


def _xcn(*parts: str, authority: str = "", family: str = "") -> str:
    told = list(parts) if parts else ["", family, "", "", "", ""]
    components = [_plain(part) for part in told]
    if not any(components):
        return ""
    if authority:
        components += ["", "", f"&{authority}&ISO"]
    return "^".join(components).rstrip("^") if not authority else "^".join(components)


def _plain(text: str) -> str:
    return " ".join(text.translate(_DELIMITERS).split())


def _some(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _concepts(told: Element, name: str) -> list[str]:
    found = []
    for one in told.all(name):
        coding = one.first("coding")
        text = one.text("text") or coding.text("display") or coding.text("code")
        if text:
            found.append(_plain(text))
    return found


def _contacts(told: Element) -> tuple[str, ...]:
    found = []
    for point in told.all("telecom"):
        value, system = _plain(point.text("value")), point.text("system")
        if not value:
            continue
        if system in {"email", "url"} or "@" in value:
            found.append(f"^^Internet^{value}")
        else:
            found.append(f"{value}^WPN^{_TYPES.get(system, 'PH')}")
    return tuple(found)


def _identifier(value: str, authority: str) -> Json:
    parts = authority.split("&")
    oid = parts[1] if len(parts) > 1 else ""
    return ({"system": f"urn:oid:{oid}"} if oid else {}) | {"value": value}
