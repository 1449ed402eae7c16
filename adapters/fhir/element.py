"""A resource as it came, read the same whether it was JSON or XML; and how both are written.

Implements HL7 FHIR R4 2.6.1 (XML) and 2.6.2 (JSON) without a schema: in XML a single element and a
list of one look alike, so readers ask for `first` or `all`. Used by `decode*.py` and `endpoint.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from lxml import etree

from adapters.fhir.refusals import ResourceMalformed

FHIR: Final = "http://hl7.org/fhir"
_XHTML: Final = "{http://www.w3.org/1999/xhtml}div"
_MAX_DEPTH: Final = 60
_MAX_ELEMENTS: Final = 200_000
_EXTENSIONS: Final = frozenset({"extension", "modifierExtension"})
_RESOURCES: Final = frozenset({"contained", "resource", "outcome"})
_ESCAPES: Final = str.maketrans(
    {
        "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;",
        "\t": "&#9;",
        **{chr(c): "\ufffd" for c in range(32) if c not in {9, 10, 13}}, "\ufffe": "\ufffd",
        "\uffff": "\ufffd",
    }
)  # fmt: skip

Json = dict[str, Any]


class Element:
    """A resource or a part of one; what is absent reads as empty."""

    __slots__ = ("data",)

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data

    def __bool__(self) -> bool:
        """Tell whether anything is there."""
        return bool(self.data)

    @property
    def type(self) -> str:
        """The resource's type, empty when this is no resource."""
        found = self.data.get("resourceType", "")
        return found if isinstance(found, str) else ""

    def all(self, name: str) -> list[Element]:
        """Return the parts of a name, in order."""
        return [Element(one) for one in _listed(self.data.get(name)) if isinstance(one, Mapping)]

    def first(self, *path: str) -> Element:
        """Return the first part on a path; an empty one when there is none."""
        found = self
        for name in path:
            found = next(iter(found.all(name)), NOTHING)
        return found

    def texts(self, name: str) -> list[str]:
        """Return the primitive values of a name as texts."""
        return [told for one in _listed(self.data.get(name)) if (told := _text(one))]

    def text(self, *path: str) -> str:
        """Return the first primitive value on a path as text, empty when there is none."""
        found = self.first(*path[:-1]).texts(path[-1])
        return found[0] if found else ""

    def extension(self, name: str) -> Element:
        """Return the first extension whose URL ends with a name, whatever stands before it."""
        return next(iter(self.extensions(name)), NOTHING)

    def extensions(self, name: str) -> list[Element]:
        """Return the extensions whose URL ends with a name."""
        found = self.all("extension")
        return [e for e in found if e.text("url").replace(":", "/").rpartition("/")[2] == name]


NOTHING: Final = Element({})


def read(body: bytes, *, xml: bool) -> Element:
    """Return the resource in a body; raises ResourceMalformed."""
    data = _from_xml(body) if xml else _from_json(body)
    if not isinstance(data.get("resourceType"), str):
        raise ResourceMalformed("the body is no FHIR resource: it names no resource type")
    return Element(data)


class _Held(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _Holder(msgspec.Struct):
    entry: list[_Held]


def octets_of_entry(body: bytes, number: int, *, xml: bool) -> bytes:
    """Return the resource in an entry of a Bundle as it came: narrative, decimals and all."""
    if not xml:
        held = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=_Holder)
        return bytes(held.entry[number].resource)
    entries = _parsed(body).findall(f"{{{FHIR}}}entry")
    (resource,) = entries[number].findall(f"{{{FHIR}}}resource/*")
    return etree.tostring(resource, encoding="UTF-8", xml_declaration=True, with_tail=False)


def write_json(resource: Json) -> bytes:
    """Return a resource in JSON."""
    return msgspec.json.encode(resource)


def write_xml(resource: Json) -> bytes:
    """Return a resource in XML; the members of the dictionary stand in the order of FHIR."""
    pieces = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    pieces += _resource(resource, f' xmlns="{FHIR}"')
    return "".join(pieces).encode()


def _listed(found: Any) -> list[Any]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) else ""


def _from_json(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ResourceMalformed("the body is not well-formed JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise ResourceMalformed("the body is no JSON object")
    return found


def _from_xml(body: bytes) -> Mapping[str, Any]:
    return _resource_of(_parsed(body), 0)


def _parsed(body: bytes) -> etree._Element:
    if b"<!DOCTYPE" in body[:4096] or body.count(b"<") > _MAX_ELEMENTS:
        raise ResourceMalformed("the body has a document type declaration or too many elements")
    # A document travels as one attribute, longer than libxml2 takes by itself: hence huge_tree,
    # with the size, the count of elements and the depth bounded by us.
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        dtd_validation=False,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise ResourceMalformed("the body is not well-formed XML") from None
    declared = root.getroottree().docinfo.internalDTD is not None
    if declared or etree.QName(root).namespace != FHIR:
        raise ResourceMalformed(f"the body is no XML of the namespace {FHIR}")
    return root


def _resource_of(element: etree._Element, depth: int) -> Json:
    return {"resourceType": etree.QName(element).localname, **_members(element, depth)}


def _members(element: etree._Element, depth: int) -> Json:
    if depth > _MAX_DEPTH:
        raise ResourceMalformed("the elements are nested too deeply")
    found: dict[str, list[Any]] = {}
    for child in element:
        if not isinstance(child.tag, str) or child.tag == _XHTML:
            continue
        name = etree.QName(child).localname
        found.setdefault(name, []).append(_value(child, name, depth + 1))
    attributes = {name: told for name in ("id", "url") if (told := element.get(name))}
    return {**attributes, **found}


def _value(element: etree._Element, name: str, depth: int) -> Any:
    if name in _RESOURCES and len(element) == 1 and element[0].tag.rpartition("}")[2][:1].isupper():
        return _resource_of(element[0], depth)
    value = element.get("value")
    return value if value is not None and len(element) == 0 else _members(element, depth)


def _resource(resource: Json, attributes: str = "") -> Iterator[str]:
    name = resource["resourceType"]
    yield f"<{name}{attributes}>"
    for key, value in resource.items():
        if key != "resourceType":
            yield from _member(key, value)
    yield f"</{name}>"


def _member(name: str, value: Any) -> Iterator[str]:
    for one in _listed(value):
        if isinstance(one, dict):
            if "resourceType" in one:
                yield f"<{name}>"
                yield from _resource(one)
                yield f"</{name}>"
                continue
            told = {"id", *({"url"} if name in _EXTENSIONS else ())}
            attributes = "".join(
                f' {k}="{_escaped(one[k])}"' for k in ("id", "url") if k in told and k in one
            )
            yield f"<{name}{attributes}>"
            for key, inner in one.items():
                if key not in told:
                    yield from _member(key, inner)
            yield f"</{name}>"
        else:
            yield f'<{name} value="{_escaped(_text(one))}"/>'


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
