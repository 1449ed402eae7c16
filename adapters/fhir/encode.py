"""Bundles, and which representation of a resource goes out.

Implements HL7 FHIR R4 2.36 (Bundle), 3.1.0.1.10 (content types), 3.1.1.5 (paging) and ITI TF-2
Z.1, Z.6. Called by `endpoint.py` and the transaction modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import uuid4

from adapters.fhir.element import Json
from adapters.fhir.search import Page, link
from adapters.http.media_types import accepted
from adapters.http.refusals import NotAcceptable

JSON: Final = "application/fhir+json"
XML: Final = "application/fhir+xml"
JSON_TYPES: Final = (JSON, "application/json", "text/json", "application/json+fhir")
XML_TYPES: Final = (XML, "application/xml", "text/xml", "application/xml+fhir")
_VERSIONS: Final = frozenset({"", "4.0"})


def wants_xml(accept: str | None, asked: Sequence[str], *, usual: bool = False) -> bool:
    """Tell whether XML is wanted: `_format` goes before Accept; raises NotAcceptable."""
    if asked and asked[-1]:
        told = asked[-1].replace(" ", "+").partition(";")[0].strip().lower()
        if told in {"json", *JSON_TYPES}:
            return False
        if told in {"xml", *XML_TYPES}:
            return True
        raise NotAcceptable("_format is neither json nor xml")
    if not accept or not accept.strip():
        return usual
    for media in accepted(accept):
        if media.get("fhirversion") not in _VERSIONS:
            continue
        if media.main == "*":
            return usual
        if any(media.covers(one) for one in JSON_TYPES):
            return False
        if any(media.covers(one) for one in XML_TYPES):
            return True
    raise NotAcceptable("resources are represented in application/fhir+json and fhir+xml, R4")


def wants_resource(accept: str | None, asked: Sequence[str]) -> bool:
    """Tell whether a Binary is wanted as a resource: by `_format` or a media type of FHIR."""
    if asked and asked[-1]:
        return True
    first = next(iter(accepted(accept)), None)
    return first is not None and first.essence in {JSON, XML}


def searchset(
    resources: Iterable[Json],
    *,
    total: int,
    page: Page,
    url: str,
    pairs: Sequence[tuple[str, str]],
    base: str,
    warnings: Iterable[Json] = (),
) -> Json:
    """Return the Bundle of one page of a search; `pairs` are what self and next repeat."""
    links = [{"relation": "self", "url": link(url, pairs)}]
    rest = [(name, value) for name, value in pairs if name != "_offset"]
    if not page.only_count:
        if page.offset + page.count < total:
            at = [*rest, ("_offset", str(page.offset + page.count))]
            links.append({"relation": "next", "url": link(url, at)})
        if page.offset:
            at = [*rest, ("_offset", str(max(page.offset - page.count, 0)))]
            links.append({"relation": "previous", "url": link(url, at)})
    entries = [
        {
            "fullUrl": f"{base}/{one['resourceType']}/{one['id']}",
            "resource": one,
            "search": {"mode": "match"},
        }
        for one in resources
    ]
    entries += [{"resource": one, "search": {"mode": "outcome"}} for one in warnings]
    made: Json = {
        "resourceType": "Bundle",
        "id": str(uuid4()),
        "type": "searchset",
        "total": total,
        "link": links,
    }
    return made | ({"entry": entries} if entries else {})
