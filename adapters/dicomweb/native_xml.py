"""Native DICOM Model XML as DICOM JSON: what a client sends as application/dicom+xml.

Implements PS3.19 A.1.5 (reading) and PS3.18 F (the result). Pure; called by `stow_metadata.py`.
"""

from __future__ import annotations

from typing import Any, Final

from lxml import etree

from repository.instances.refusals import MalformedInstance, NestedTooDeep

_MAX_DEPTH: Final = 32
_NUMBERS: Final = frozenset(("US", "SS", "UL", "SL", "UV", "SV", "IS"))
_DECIMALS: Final = frozenset(("FL", "FD", "DS"))
_PARTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")


def dataset_of(octets: bytes) -> dict[str, Any]:
    """Return the data set of a document; raises MalformedInstance, NestedTooDeep."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError:
        raise MalformedInstance("the metadata are not well-formed XML") from None
    if root.getroottree().docinfo.internalDTD is not None or _name(root) != "NativeDicomModel":
        raise MalformedInstance("the metadata are no Native DICOM Model document")
    return _dataset(root, 0)


def _dataset(place: Any, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise NestedTooDeep("sequences are nested too deep")
    found: dict[str, Any] = {}
    for child in place:
        if _name(child) == "DicomAttribute":
            tag, vr = str(child.get("tag", "")).upper(), str(child.get("vr", ""))
            found[tag] = {"vr": vr, **_content(child, vr, depth)}
    return found


def _content(attribute: Any, vr: str, depth: int) -> dict[str, Any]:
    values: list[Any] = []
    for child in sorted(attribute, key=_number):
        kind = _name(child)
        if kind == "BulkData":
            return {"BulkDataURI": child.get("uri") or child.get("uuid") or ""}
        if kind == "InlineBinary":
            return {"InlineBinary": "".join((child.text or "").split())}
        if kind == "Item":
            values.append(_dataset(child, depth + 1))
        elif kind == "PersonName":
            values.append(_person(child))
        elif kind == "Value":
            values.append(_value(child.text or "", vr))
    return {"Value": values} if values else {}


def _value(text: str, vr: str) -> Any:
    try:
        if vr in _NUMBERS:
            return int(text)
        if vr in _DECIMALS:
            return float(text)
    except ValueError:
        raise MalformedInstance("a number is expected in the metadata", vr=vr) from None
    return text


def _person(place: Any) -> dict[str, str]:
    found = {}
    for group in place:
        if _name(group) in _GROUPS:
            told = {_name(part): part.text or "" for part in group}
            found[_name(group)] = "^".join(told.get(part, "") for part in _PARTS).rstrip("^")
    return found


def _number(element: Any) -> int:
    told = element.get("number", "") if isinstance(element.tag, str) else ""
    return int(told) if told.isascii() and told.isdigit() and len(told) < 9 else 0


def _name(element: Any) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
