"""What a WADO-URI request asks for: the parameters of its query string.

Implements PS3.18 9.1.2 (query parameters of the URI service) as RAD TF-2 4.55 (RAD-55) uses it.
Pure; called by `wado_uri.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapters.dicomweb.decode import BadParameter, annotation
from adapters.http.media_types import MediaType, parse_accept
from adapters.http.refusals import NotAcceptable
from kernel.identifiers import dicom_uid
from kernel.refusals import Invalid, NotFound
from repository.instances.rendering import Window

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{0,12})?(?:[eE][+-]?[0-9]{1,2})?")
_UIDS: Final = ("studyuid", "seriesuid", "objectuid")
_MOST_SIDE: Final = 16384


class NoSuchInstance(NotFound):
    """No instance lies under these three UIDs."""

    code = "no_such_instance"


class ParameterNotOffered(NotAcceptable):
    """A parameter asks for something that we do not do; better refused than left out."""

    code = "parameter_not_offered"


@dataclass(frozen=True, slots=True, kw_only=True)
class WadoRequest:
    """One request of the URI service."""

    study_uid: str
    series_uid: str
    sop_uid: str
    content_types: tuple[MediaType, ...]
    transfer_syntax: str
    frame: int | None
    rows: int
    columns: int
    region: tuple[float, float, float, float] | None
    """Left, top, right, bottom as parts of the picture."""
    window: Window | None
    quality: int
    annotation: tuple[str, ...] = ()
    presentation: tuple[str, str] | None = None
    """Series and SOP Instance UID of the presentation state that the image is shown by."""

    @property
    def viewport(self) -> tuple[int, int] | None:
        """Return the most columns and rows of the picture, None when any will do."""
        if not (self.rows or self.columns):
            return None
        return self.columns or _MOST_SIDE, self.rows or _MOST_SIDE


def wado_request(query: Sequence[tuple[str, str]]) -> WadoRequest:
    """Return what a query string asks for; names are taken in any case.

    Raises BadParameter, NoSuchInstance for UIDs that cannot be any, ParameterNotOffered.
    """
    told: dict[str, str] = {}
    for name, value in query:
        told.setdefault(name.lower(), value.strip())
    if told.get("requesttype", "").upper() != "WADO":
        raise BadParameter("requestType must be WADO")
    if not all(name in told for name in _UIDS):
        raise BadParameter("studyUID, seriesUID and objectUID are needed")
    _refuse_what_is_not_offered(told)
    study, series, sop = (_uid(told[name]) for name in _UIDS)
    return WadoRequest(
        study_uid=study,
        series_uid=series,
        sop_uid=sop,
        content_types=parse_accept(told.get("contenttype", "")),
        transfer_syntax=told.get("transfersyntax", ""),
        frame=_whole(told, "framenumber", 1, 1 << 31) if told.get("framenumber") else None,
        rows=_whole(told, "rows", 1, _MOST_SIDE) if told.get("rows") else 0,
        columns=_whole(told, "columns", 1, _MOST_SIDE) if told.get("columns") else 0,
        region=_region(told.get("region", "")),
        window=_window(told.get("windowcenter", ""), told.get("windowwidth", "")),
        quality=_whole(told, "imagequality", 1, 100) if told.get("imagequality") else 90,
        annotation=annotation(told.get("annotation", "")),
        presentation=_presentation(told),
    )


def _refuse_what_is_not_offered(told: dict[str, str]) -> None:
    if told.get("anonymize", "").lower() not in {"", "no"}:
        raise ParameterNotOffered("anonymize is not offered: instances are given as they are")


def _presentation(told: dict[str, str]) -> tuple[str, str] | None:
    """Return series and instance of the presentation state (PS3.18 9.1.2.2.4); both or none."""
    series, sop = told.get("presentationseriesuid", ""), told.get("presentationuid", "")
    if not series and not sop:
        return None
    if not series or not sop:
        raise BadParameter("presentationSeriesUID and presentationUID come together")
    for name in ("windowcenter", "windowwidth"):
        if told.get(name):
            raise BadParameter(f"{name} does not go with a presentation state")
    return _uid(series), _uid(sop)


def _uid(text: str) -> str:
    # Empty or malformed: nothing lies there (404), as for any other UID that nobody has.
    try:
        return dicom_uid(text)
    except Invalid:
        raise NoSuchInstance("there is no such instance") from None


def _whole(told: dict[str, str], name: str, least: int, most: int) -> int:
    text = told[name]
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not least <= int(text) <= most:
        raise BadParameter(f"{name} is a whole number from {least} to {most}", value=text[:32])
    return int(text)


def _numbers(text: str, name: str, count: int) -> tuple[float, ...]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != count or not all(map(_NUMBER.fullmatch, parts)):
        raise BadParameter(f"{name} needs {count} decimal numbers", value=text[:64])
    return tuple(map(float, parts))


def _region(text: str) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    left, top, right, bottom = _numbers(text, "region", 4)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise BadParameter("region lies between 0 and 1: xmin,ymin,xmax,ymax", value=text[:64])
    return left, top, right, bottom


def _window(center: str, width: str) -> Window | None:
    if not center and not width:
        return None
    if not center or not width:
        raise BadParameter("windowCenter and windowWidth come together")
    (middle,), (size,) = _numbers(center, "windowCenter", 1), _numbers(width, "windowWidth", 1)
    if size <= 0:
        raise BadParameter("windowWidth is greater than 0")
    return Window(middle, size)
