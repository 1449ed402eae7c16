"""STOW-RS requests damaged by a seed: boundaries, part headers, JSON and XML metadata, bulk data.

RFC 2046 5.1 and PS3.18 8.6, 10.5, F (what is damaged). Equal seeds give equal octets. Called by
tests/adapters/dicomweb and tests/soak.
"""

from __future__ import annotations

import base64
import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.support.archive import instance, octets, stable

_JSON: Final = "application/dicom+json"
_XML: Final = "application/dicom+xml"
_DICOM: Final = "application/dicom"
_TYPES: Final = (_JSON, _XML, _DICOM, "application/octet-stream", "image/jpeg", "video/mp4", "",
                 "image/jpeg; transfer-syntax=1.2.3", "multipart/related", "a/b/c", "\xff", ";;;",
                 "application/dicom; transfer-syntax=", "text/html", "image/jls")  # fmt: skip
_STRANGE: Final[tuple[Any, ...]] = (
    None, True, -1, 0, 1 << 31, 1 << 64, 10**400, 1.5, 1e300, "", "x", "\0", "中", "\ud800", "1" * 5000,
    [], [None], [[]], [{}], {}, {"Alphabetic": None}, {"Alphabetic": {}}, ["\\"], [1, "2", None],
    {"vr": "SQ", "Value": [1]}, "-", "1e999", "NaN", "=== ", "AAAA", "%", [{"00080018": 5}],
)  # fmt: skip
_VRS: Final = ("SQ", "UN", "OB", "OW", "PN", "UI", "DA", "TM", "IS", "DS", "US", "AT", "FD", "OF",
               "XX", "", "sq", "LO", "UR", "OV", "UV", "SV")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Body:
    """A request."""

    name: str
    octets: bytes
    content_type: str


@dataclass(slots=True)
class _Part:
    headers: list[tuple[str, str]]
    octets: bytes


def body(seed: int) -> Body:
    """Return a request with one to three things wrong with it."""
    chance = random.Random(seed)
    made = chance.choice((_of_files, _of_json, _of_json, _of_json, _of_xml))
    kind, parts = made(chance, seed)
    names = [made.__name__.strip("_")]
    for _ in range(chance.choice((0, 1, 1, 2))):
        accident = chance.choice(_TO_PARTS)
        accident(chance, parts)
        names.append(accident.__name__.strip("_"))
    octets_ = _joined(parts)
    content_type = f'multipart/related; type="{kind}"; boundary=frontier'
    if chance.random() < 0.4:
        trick = chance.choice(_TO_BODY)
        octets_ = trick(chance, octets_)
        names.append(trick.__name__.strip("_"))
    if chance.random() < 0.1:
        content_type = _strange_type(chance, kind)
        names.append("strange_type")
    return Body(f"{seed}: {', '.join(names)}", octets_, content_type)


def _joined(parts: list[_Part]) -> bytes:
    pieces = []
    for part in parts:
        lines = "".join(f"{name}: {value}\r\n" for name, value in part.headers)
        pieces.append(b"--frontier\r\n" + lines.encode("utf-8", "replace") + b"\r\n")
        pieces.append(part.octets + b"\r\n")
    return b"".join(pieces) + b"--frontier--\r\n"


# -- sound requests ---------------------------------------------------------------------------


def _of_files(_chance: random.Random, seed: int) -> tuple[str, list[_Part]]:
    files = [octets(instance(3 * seed + n, study="STOW", size=8)) for n in range(3)]
    return _DICOM, [_Part([("Content-Type", _DICOM)], file) for file in files]


def metadata(seed: int) -> dict[str, Any]:
    """Return the DICOM JSON of an image whose pixels come apart."""
    return {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
        "00080018": {"vr": "UI", "Value": [stable("body", seed)]},
        "00080020": {"vr": "DA", "Value": ["20260301"]},
        "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Test^Body", "Ideographic": "王^小"}]},
        "00100020": {"vr": "LO", "Value": ["PAT-BODY"]},
        "0020000D": {"vr": "UI", "Value": [stable("body", "study")]},
        "0020000E": {"vr": "UI", "Value": [stable("body", "series")]},
        "00200013": {"vr": "IS", "Value": [seed % 1000]},
        "00280002": {"vr": "US", "Value": [1]},
        "00280004": {"vr": "CS", "Value": ["MONOCHROME2"]},
        "00280010": {"vr": "US", "Value": [2]},
        "00280011": {"vr": "US", "Value": [2]},
        "00280100": {"vr": "US", "Value": [8]},
        "00281050": {"vr": "DS", "Value": [40.5]},
        "00420011": {"vr": "OB", "BulkDataURI": "doc"},
        "00091001": {"vr": "UN", "InlineBinary": "AAEC"},
        "7FE00010": {"vr": "OB", "BulkDataURI": "pixels"},
    }


def _bulk(chance: random.Random) -> list[_Part]:
    pixels = chance.choice(
        (bytes(4), b"\xff\xd8\xff\xc0\x00\x0b\x08", b"", b"\xff\xd8" + bytes(50))
    )
    kind = chance.choice(("application/octet-stream", "image/jpeg", "image/jls", "video/mp4"))
    return [
        _Part([("Content-Type", kind), ("Content-Location", "pixels")], pixels),
        _Part([("Content-Type", "application/pdf"), ("Content-Location", "doc")], b"%PDF-"),
    ]


def _of_json(chance: random.Random, seed: int) -> tuple[str, list[_Part]]:
    told: Any = [metadata(seed)]
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        told = _shaken(chance, told)
    written = json.dumps(told).encode()
    return _JSON, [_Part([("Content-Type", _JSON)], written), *_bulk(chance)]


def _shaken(chance: random.Random, told: Any) -> Any:
    """Replace one value anywhere in a JSON document."""
    places: list[tuple[Any, Any]] = []

    def walk(place: Any) -> None:
        for key in list(place) if isinstance(place, dict) else range(len(place)):
            places.append((place, key))
            if isinstance(place[key], dict | list) and place[key]:
                walk(place[key])

    walk(told)
    place, key = chance.choice(places or [(told, None)])
    what = chance.randrange(5)
    if key is None:
        return told
    if what == 0:
        del place[key]
    elif what == 1 and isinstance(place, dict):
        name = chance.choice(("", "vr", "00080018", "0008001", "ZZZZZZZZ", "FFFFFFFF", "00420011",
                              "7fe00010", "00020010", "7FE00010", "PatientID", "\0", "00000000"))  # fmt: skip
        place[name] = place[key]
    elif what == 2 and isinstance(place, dict) and "vr" in place:
        place["vr"] = chance.choice(_VRS)
    else:
        place[key] = copy.deepcopy(chance.choice(_STRANGE))
    return told


def _of_xml(chance: random.Random, seed: int) -> tuple[str, list[_Part]]:
    attributes = "".join(_attribute(tag, told) for tag, told in metadata(seed).items())
    text = f'<?xml version="1.0"?><NativeDicomModel>{attributes}</NativeDicomModel>'
    if chance.random() < 0.3:
        entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
        text = text.replace("?>", f'?><!DOCTYPE x [<!ENTITY a0 "aa">{entities}]>', 1)
        text = text.replace("PAT-BODY", "&a11;")
    elif chance.random() < 0.3:
        depth = chance.choice((40, 300, 100_000))
        opened = '<DicomAttribute tag="00081140" vr="SQ"><Item number="1">' * depth
        text = text.replace("</NativeDicomModel>", opened + "</Item></DicomAttribute>" * depth
                            + "</NativeDicomModel>")  # fmt: skip
    elif chance.random() < 0.5:
        old = chance.choice(('vr="UI"', 'number="1"', "PAT-BODY", 'tag="', "<Value", "20260301"))
        new = chance.choice(
            ("", "vr=''", 'number="x"', "<Item/>", "&#0;", "&#xFFFE;", "中", "<a:b")
        )
        text = text.replace(old, new)
    return _XML, [_Part([("Content-Type", _XML)], text.encode()), *_bulk(chance)]


def _attribute(tag: str, told: dict[str, Any]) -> str:
    inner = ""
    if "BulkDataURI" in told:
        inner = f'<BulkData uri="{told["BulkDataURI"]}"/>'
    elif "InlineBinary" in told:
        inner = f"<InlineBinary>{told['InlineBinary']}</InlineBinary>"
    elif told["vr"] == "PN":
        inner = ('<PersonName number="1"><Alphabetic><FamilyName>Test</FamilyName></Alphabetic>'
                 "</PersonName>")  # fmt: skip
    elif told["vr"] != "SQ":
        inner = f'<Value number="1">{told["Value"][0]}</Value>'
    return f'<DicomAttribute tag="{tag}" vr="{told["vr"]}">{inner}</DicomAttribute>'


# -- accidents --------------------------------------------------------------------------------


def _flip(chance: random.Random, parts: list[_Part]) -> None:
    part = chance.choice(parts)
    shaken = bytearray(part.octets)
    for _ in range(chance.choice((1, 3, 30))):
        if shaken:
            shaken[chance.randrange(len(shaken))] = chance.randrange(256)
    part.octets = bytes(shaken)


def _cut_part(chance: random.Random, parts: list[_Part]) -> None:
    part = chance.choice(parts)
    part.octets = part.octets[: chance.randrange(len(part.octets) + 1)]


def _retype(chance: random.Random, parts: list[_Part]) -> None:
    part = chance.choice(parts)
    part.headers = [("Content-Type", chance.choice(_TYPES)), *part.headers[1:]]


def _relocate(chance: random.Random, parts: list[_Part]) -> None:
    place = chance.choice(("", "<>", "doc", "\xff", "a" * 9000, "pixels/frames/1", "/frames/"))
    chance.choice(parts).headers.append(("Content-Location", place))


def _behead(chance: random.Random, parts: list[_Part]) -> None:
    chance.choice(parts).headers = []


def _lose(chance: random.Random, parts: list[_Part]) -> None:
    if len(parts) > 1:
        parts.pop(chance.randrange(len(parts)))


def _double(chance: random.Random, parts: list[_Part]) -> None:
    parts.insert(chance.randrange(len(parts) + 1), chance.choice(parts))


def _shuffle(chance: random.Random, parts: list[_Part]) -> None:
    chance.shuffle(parts)


def _flood(chance: random.Random, parts: list[_Part]) -> None:
    parts += [_Part([("Content-Type", _DICOM)], b"")] * chance.choice((100, 3000))


def _nest(chance: random.Random, parts: list[_Part]) -> None:
    depth = chance.choice((33, 500, 5000, 200_000))
    opened = b'[{"00081140":{"vr":"SQ","Value":' * depth
    parts[0].octets = chance.choice((opened, opened + b"[]" + b"}}]" * depth, b"[" * depth))


def _widen(chance: random.Random, parts: list[_Part]) -> None:
    """Put one value of a size that few expect into the metadata."""
    size = chance.choice((1_000, 20_000))
    large: dict[str, Any] = metadata(chance.randrange(1 << 30))
    large[chance.choice(("00100020", "00081030", "00091001"))] = chance.choice((
        {"vr": "LO", "Value": ["x" * size]},
        {"vr": "UN", "InlineBinary": base64.b64encode(bytes(size)).decode()},
        {"vr": "US", "Value": [1] * size},
    ))  # fmt: skip
    parts[0].octets = json.dumps([large]).encode()


_TO_PARTS: Final[tuple[Callable[[random.Random, list[_Part]], None], ...]] = (
    _flip, _flip, _cut_part, _retype, _relocate, _behead, _lose, _double, _shuffle, _flood, _nest,
    _widen,
)  # fmt: skip


def _cut_body(chance: random.Random, whole: bytes) -> bytes:
    return whole[: chance.randrange(len(whole) + 1)]


def _bare_lines(_chance: random.Random, whole: bytes) -> bytes:
    return whole.replace(b"\r\n", b"\n")


def _preamble(chance: random.Random, whole: bytes) -> bytes:
    return chance.choice((b"x" * 100, b"x" * 40_000, b"\r\n\r\n", b"--frontie\r\n")) + whole


def _epilogue(_chance: random.Random, whole: bytes) -> bytes:
    return whole + b"x" * 100_000


def _boundary_noise(chance: random.Random, whole: bytes) -> bytes:
    noise = chance.choice((b"--frontier  ", b"--frontierx", b"--frontier-", b"--frontier--", b"--"))
    return whole.replace(b"--frontier", noise, chance.choice((1, 2, -1)))


def _nothing(_chance: random.Random, _whole: bytes) -> bytes:
    return b""


def _noise(chance: random.Random, _whole: bytes) -> bytes:
    return chance.randbytes(3000)


def _long_headers(chance: random.Random, whole: bytes) -> bytes:
    return whole.replace(b"\r\n", b"\r\nX: " + b"y" * chance.choice((200, 20_000)) + b"\r\n", 1)


_TO_BODY: Final = (
    _cut_body, _bare_lines, _preamble, _epilogue, _boundary_noise, _nothing, _noise, _long_headers,
)  # fmt: skip


def _strange_type(chance: random.Random, kind: str) -> str:
    return chance.choice((
        "", "multipart/related", f'multipart/related; type="{kind}"', "multipart/related; boundary=",
        f'multipart/related; type="{kind}"; boundary="{"b" * 300}"', "multipart/form-data; boundary=b",
        'multipart/related; type="x/y"; boundary=frontier', _DICOM, _JSON, "text/plain", "*/*",
        f'multipart/related; boundary=frontier; type="{kind}"; type="text/html"', "a;b=c;;;=",
        'multipart/related; boundary="fron\\tier"', "multipart/related; boundary=frontier; type=",
    ))  # fmt: skip
