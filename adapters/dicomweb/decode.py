"""From the request to values: UIDs of the path, query parameters, what a rendering asks.

Implements PS3.18 8.3.4 (query parameters), 8.3.5 (rendering parameters), 10.6.1.2 (search).
Pure; called by `endpoint.py` and the resources.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from adapters.dicomweb.archive import Limits
from adapters.http.refusals import NoSuchPath, NotAcceptable
from kernel.identifiers import dicom_uid
from kernel.refusals import Invalid
from projections.study_index.asked import Search, divided
from projections.study_index.attributes import Level
from repository.instances.dictionary import tag_of
from repository.instances.rendering import Rendering, Window

_CONTROLS: Final = frozenset(
    (
        "limit",
        "offset",
        "includefield",
        "fuzzymatching",
        "accept",
        "charset",
        "emptyvaluematching",
        "multiplevaluematching",
    )
)
ANNOTATIONS: Final = frozenset(("patient", "technique"))
COLOUR_PROFILES: Final = frozenset(("no", "yes", "srgb"))
_MOST_SIDE: Final = 65536
_Viewport: TypeAlias = (
    "tuple[tuple[int, int] | None, tuple[int, int, int, int] | None, tuple[bool, bool]]"
)
_MAX_FRAMES_ASKED: Final = 10_000
_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]{1,12}(?:\.[0-9]{0,12})?(?:[eE][+-]?[0-9]{1,2})?\s*")


class BadParameter(Invalid):
    """A query parameter or a part of the path is malformed."""

    code = "bad_parameter"


@dataclass(frozen=True, slots=True)
class Asked:
    """A search, and what of it was not understood."""

    search: Search
    unknown: tuple[str, ...]
    """Matching keys that are no attributes."""
    not_returned: tuple[str, ...] = ()
    """Names to include that are no attributes."""


def uid(text: str) -> str:
    """Return a UID of the path; what is none is no resource."""
    try:
        return dicom_uid(text)
    except Invalid:
        raise NoSuchPath("a UID is expected in the path") from None


def frame_numbers(text: str) -> tuple[int, ...]:
    """Return the frame list of a path (PS3.18 10.4.1.1.5), numbers from 1."""
    parts = text.split(",")
    if len(parts) > _MAX_FRAMES_ASKED or not all(p.isascii() and p.isdigit() for p in parts):
        raise BadParameter("frame numbers are expected", value=text[:64])
    numbers = tuple(int(part[:10]) for part in parts)
    if 0 in numbers:
        raise BadParameter("frames are counted from 1")
    return numbers


def search(
    fields: Sequence[tuple[str, str]], level: Level, study_uid: str, series_uid: str, limits: Limits
) -> Asked:
    """Return the search that a query string asks for."""
    keys: list[tuple[tuple[int, ...], str]] = []
    unknown: list[str] = []
    for name, value in fields:
        if name.lower() in _CONTROLS:
            continue
        path = _attribute(name)
        if path is None:
            unknown.append(name[:64])
        else:
            keys.append((path, value))
    filters, paths = divided(level, keys)
    options = {name.lower(): value for name, value in fields if name.lower() in _CONTROLS}
    most = limits.results if level is Level.STUDY else limits.instance_results
    include, include_all = included(fields)
    # Several values are any of them, whether that is asked for or not.
    boolean(options.get("multiplevaluematching", "false"))
    charset(options.get("charset", ""))
    return Asked(
        Search(
            level=level,
            filters=filters,
            paths=paths,
            study_uid=study_uid,
            series_uid=series_uid,
            include=include,
            include_all=include_all,
            fuzzy=boolean(options.get("fuzzymatching", "false")),
            combined=True,
            empty=boolean(options.get("emptyvaluematching", "false")),
            counted=True,
            offset=_whole(options.get("offset"), 0),
            limit=min(_whole(options.get("limit"), most), most),
        ),
        tuple(unknown),
        tuple(_not_included(fields)),
    )


def _attribute(name: str) -> tuple[int, ...] | None:
    """Return the tags of the path that a parameter names (PS3.18 8.3.4.1)."""
    tags = []
    for part in name.split("."):
        tag = tag_of(part)
        if tag is None:
            return None
        tags.append(tag)
    return tuple(tags)


def included(fields: Sequence[tuple[str, str]]) -> tuple[frozenset[int], bool]:
    """Return the attributes that are to be returned, and whether all are (PS3.18 8.3.4.3)."""
    include: set[int] = set()
    everything = False
    for name, value in fields:
        if name.lower() != "includefield":
            continue
        for part in value.split(","):
            if part.strip().lower() == "all":
                everything = True
                continue
            tag = tag_of(part.strip().split(".")[0])
            if tag is not None:
                include.add(tag)
    return frozenset(include), everything


def _not_included(fields: Sequence[tuple[str, str]]) -> list[str]:
    """Return what is to be returned by a name that no attribute has."""
    names = [
        part.strip()
        for name, value in fields
        if name.lower() == "includefield"
        for part in value.split(",")
    ]
    return [
        name[:64]
        for name in names
        if name and name.lower() != "all" and tag_of(name.split(".")[0]) is None
    ]


def charset(text: str) -> None:
    """Raise NotAcceptable unless UTF-8, which we write, is acceptable (PS3.18 8.3.3.2)."""
    wanted = [one.split(";")[0].strip().lower() for one in text.split(",") if one.strip()]
    if wanted and not {"utf-8", "utf8", "*", "iso_ir 192"}.intersection(wanted):
        raise NotAcceptable("answers are written in UTF-8")


def page(fields: Sequence[tuple[str, str]], most: int) -> tuple[int, int]:
    """Return offset and limit of a search (PS3.18 8.3.4.4); raises BadParameter."""
    options = {name.lower(): value for name, value in fields}
    return _whole(options.get("offset"), 0), min(_whole(options.get("limit"), most), most)


def rendering(fields: Sequence[tuple[str, str]]) -> Rendering:
    """Return what the rendering parameters ask for (PS3.18 8.3.5.1); raises BadParameter."""
    options = {name.lower(): value for name, value in fields}
    viewport, region, mirrored = _viewport(options.get("viewport"))
    return Rendering(
        quality=min(max(_whole(options.get("quality"), 90), 1), 100),
        window=_window(options.get("window")),
        viewport=viewport,
        region=region,
        mirrored=mirrored,
        annotation=annotation(options.get("annotation", "")),
        colour_profile=_one_of(options.get("iccprofile", ""), COLOUR_PROFILES, "iccprofile"),
    )


def annotation(text: str) -> tuple[str, ...]:
    """Return what is to be written over the picture; raises BadParameter."""
    kinds = {part.strip().lower() for part in text.split(",") if part.strip()}
    if not kinds <= ANNOTATIONS:
        raise BadParameter("annotation is patient, technique or both", value=text[:64])
    return tuple(sorted(kinds))


def _one_of(text: str, known: frozenset[str], name: str) -> str:
    told = text.strip().lower()
    if told and told not in known:
        raise BadParameter(f"{name} is one of {', '.join(sorted(known))}", value=text[:64])
    return told


def _window(text: str | None) -> Window | None:
    if not text:
        return None
    parts = text.split(",")
    function = parts[2].strip().upper().replace("-", "_") if len(parts) == 3 else "LINEAR"
    numbers = [_decimal(part) for part in parts[:2]]
    if len(parts) not in {2, 3} or function not in {"LINEAR", "LINEAR_EXACT", "SIGMOID"}:
        raise BadParameter("window is center,width,function", value=text[:64])
    if numbers[1] <= 0:
        raise BadParameter("the window width must be greater than 0")
    return Window(numbers[0], numbers[1], function)


def _viewport(text: str | None) -> _Viewport:
    """Return the size, the region of the source, and whether it is flipped (8.3.5.1.3)."""
    if not text:
        return None, None, (False, False)
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in {2, 6}:
        raise BadParameter("viewport is vw,vh or vw,vh,sx,sy,sw,sh", value=text[:64])
    width, height = (_decimal(part) for part in parts[:2])
    if not (1 <= width <= 16384 and 1 <= height <= 16384):
        raise BadParameter("the viewport is out of bounds")
    size = (int(width), int(height))
    if len(parts) == 2 or not any(parts[2:]):
        return size, None, (False, False)
    left, top = (int(_decimal(part or "0")) for part in parts[2:4])
    # Left out: up to the end. Negative: flipped.
    sizes = [int(_decimal(part or str(_MOST_SIDE))) for part in parts[4:]]
    if min(left, top) < 0 or not all(0 < abs(one) <= _MOST_SIDE for one in sizes):
        raise BadParameter("the region of the viewport is out of bounds")
    region = (left, top, abs(sizes[0]), abs(sizes[1]))
    return size, region, (sizes[0] < 0, sizes[1] < 0)


def _decimal(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise BadParameter("a number is expected", value=text[:64])
    return float(text)


def _whole(text: str | None, default: int) -> int:
    if text is None or not text.strip():
        return default
    if not (text.strip().isascii() and text.strip().isdigit()) or len(text.strip()) > 9:
        raise BadParameter("a whole number is expected", value=text[:64])
    return int(text)


def wants_original(fields: Sequence[tuple[str, str]]) -> bool:
    """Tell whether the headers are wanted as they were stored; raises BadParameter."""
    return any(boolean(value) for name, value in fields if name.lower() == "original")


def boolean(text: str) -> bool:
    """Return a yes or no; raises BadParameter."""
    if text.lower() not in {"true", "false", ""}:
        raise BadParameter("true or false is expected", value=text[:64])
    return text.lower() == "true"
