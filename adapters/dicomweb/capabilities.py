"""What this service offers, for machines: as WADL or as JSON.

Implements PS3.18 8.9 (Retrieve Capabilities Transaction, OPTIONS). Called by `endpoint.py`.
The list below is the one of docs/integrate/dicomweb.md; a test asks every entry of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import quoteattr

import msgspec

from adapters.dicomweb import encode, zipped
from adapters.http.media_types import MediaType

WADL: Final = "application/vnd.sun.wadl+xml"
_PARTS: Final = "multipart/related"
_METADATA: Final = (encode.JSON, _PARTS)
_FILES: Final = (_PARTS, zipped.MEDIA_TYPE)
_PICTURES: Final = ("image/jpeg", "image/png", "image/gif", _PARTS)
_DATASET: Final = (encode.JSON, encode.XML)
_S: Final = "/studies/{study}"
_E: Final = _S + "/series/{series}"
_I: Final = _E + "/instances/{instance}"
_W: Final = "/workitems/{workitem}"


@dataclass(frozen=True, slots=True)
class Offer:
    """One request that is answered."""

    method: str
    path: str
    media_types: tuple[str, ...]


OFFERS: Final = (
    *(Offer("GET", path, _METADATA) for path in ("/studies", "/series", "/instances")),
    *(Offer("GET", path, _METADATA) for path in (_S + "/series", _S + "/instances")),
    Offer("GET", _E + "/instances", _METADATA),
    *(Offer("POST", path, (encode.JSON, encode.XML)) for path in ("/studies", _S)),
    *(Offer("GET", path, _FILES) for path in (_S, _E)),
    Offer("GET", _I, (_PARTS, "application/dicom", zipped.MEDIA_TYPE)),
    *(Offer("GET", path + "/metadata", _METADATA) for path in (_S, _E, _I)),
    *(Offer("GET", path + "/rendered", _PICTURES) for path in (_S, _E)),
    Offer("GET", _I + "/rendered", _PICTURES[:3]),
    *(Offer("GET", path + "/thumbnail", _PICTURES[:3]) for path in (_S, _E, _I)),
    Offer("GET", _I + "/frames/{frames}", (_PARTS, "application/octet-stream")),
    Offer("GET", _I + "/frames/{frames}/rendered", _PICTURES[:3]),
    Offer("GET", _I + "/frames/{frames}/thumbnail", _PICTURES[:3]),
    Offer("GET", _I + "/bulkdata/{attribute}", ("application/octet-stream", _PARTS)),
    Offer("GET", "/workitems", _METADATA),
    Offer("POST", "/workitems", ()),
    Offer("GET", _W, _DATASET),
    Offer("POST", _W, ()),
    Offer("PUT", _W + "/state", ()),
    Offer("POST", _W + "/cancelrequest", ()),
    Offer("POST", _W + "/subscribers/{subscriber}", ()),
    Offer("DELETE", _W + "/subscribers/{subscriber}", ()),
    Offer("POST", _W + "/subscribers/{subscriber}/suspend", ()),
    Offer("GET", "/subscribers/{subscriber}", ()),
    *(Offer(method, "/commitment-requests/{transaction}", _DATASET) for method in ("POST", "GET")),
)


def document(accept: tuple[MediaType, ...], base: str) -> tuple[str, bytes]:
    """Return media type and body; JSON only for who asks for it before WADL."""
    for media in accept:
        if media.covers(WADL):
            break
        if media.covers(encode.PLAIN_JSON):
            return encode.PLAIN_JSON, _json(base)
    return WADL, _wadl(base)


def _json(base: str) -> bytes:
    told = [
        {"method": one.method, "path": one.path, "mediaTypes": list(one.media_types)}
        for one in OFFERS
    ]
    return msgspec.json.encode({"base": base, "resources": told})


def _wadl(base: str) -> bytes:
    resources = "".join(
        f"<resource path={quoteattr(path)}>"
        + "".join(_method(one) for one in OFFERS if one.path == path)
        + "</resource>"
        for path in dict.fromkeys(one.path for one in OFFERS)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<application xmlns="http://wadl.dev.java.net/2009/02">'
        f"<resources base={quoteattr(base)}>{resources}</resources></application>"
    ).encode()


def _method(offer: Offer) -> str:
    told = "".join(f"<representation mediaType={quoteattr(m)}/>" for m in offer.media_types)
    return f'<method name="{offer.method}"><response status="200">{told}</response></method>'
