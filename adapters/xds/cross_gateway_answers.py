"""Answers of several communities made into one, each part telling which community it is of.

Implements ITI TF-2 3.38.4.1.3 and 3.39.4.1.3 (home on every object, `location` of every error is
the homeCommunityId, PartialSuccess). Called by the gateway transactions of this room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from adapters.xds import encode, names
from adapters.xds.communities import HOME, missing_home
from adapters.xds.encode import RegistryError

_OBJECTS: Final = f"{{{names.RIM}}}RegistryObjectList"
_ERROR: Final = f"{{{names.RS}}}RegistryErrorList/{{{names.RS}}}RegistryError"
_RESPONSE: Final = f"{{{names.RS}}}RegistryResponse"
_QUERY_RESPONSE: Final = f"{{{names.QUERY}}}AdhocQueryResponse"
_UNKNOWN_PATIENT: Final = "XDSUnknownPatientId"
_MUST_TELL: Final = frozenset(
    f"{{{names.RIM}}}{name}" for name in ("ExtrinsicObject", "RegistryPackage", "ObjectRef")
)


@dataclass(slots=True)
class Merged:
    """What the communities said so far."""

    pieces: list[str] = field(default_factory=list)
    """Registry objects or DocumentResponses, as XML text."""
    errors: list[RegistryError] = field(default_factory=list)
    answered: bool = False
    """Whether any community answered with Success or PartialSuccess."""

    @property
    def status(self) -> str:
        """The status of the whole."""
        if not any(error.severity == names.ERROR for error in self.errors):
            return names.SUCCESS
        return names.PARTIAL_SUCCESS if self.answered else names.FAILURE

    def add_query_response(self, response: etree._Element, home: str, *, own: bool) -> int:
        """Add the objects and errors of an AdhocQueryResponse; return how many objects.

        Our own objects get our home; others' objects that do not tell theirs are left out with
        an error, for nobody could retrieve them. A community that does not know the patient has
        nothing to say and nothing wrong with it.
        """
        if response.tag != _QUERY_RESPONSE:
            self._malformed(home)
            return 0
        self._add_errors(response, home)
        nameless: list[str] = []
        count = 0
        for thing in response.iterfind(f"{_OBJECTS}/*"):
            if own:
                thing.set("home", home)
            elif thing.tag in _MUST_TELL and not HOME.fullmatch(thing.get("home", "")):
                nameless.append(thing.get("id", "")[:64])
                continue
            self.pieces.append(_text(thing))
            count += 1
        if nameless:
            context = f"{home} returned objects without home: {', '.join(nameless[:20])}"
            self.errors.append(missing_home(context, home))
        return count

    def add_retrieve_status(self, response: etree._Element, home: str) -> None:
        """Add status and errors of a RetrieveDocumentSetResponse."""
        told = response.find(_RESPONSE)
        if told is None:
            self._malformed(home)
        else:
            self._add_errors(told, home)

    def _add_errors(self, response: etree._Element, home: str) -> None:
        found = [_registry_error(error, home) for error in response.iterfind(_ERROR)]
        told = [error for error in found if error.code != _UNKNOWN_PATIENT]
        self.errors.extend(told)
        status = response.get("status", "")
        if status in {names.SUCCESS, names.PARTIAL_SUCCESS} or (found and not told):
            self.answered = True
        elif not found:
            self.errors.append(
                RegistryError("XDSRegistryError", f"{home} failed without saying why", home)
            )

    def _malformed(self, home: str) -> None:
        self.errors.append(
            RegistryError(
                "XDSUnavailableCommunity",
                f"{home} did not answer with the response asked for",
                home,
            )
        )


def located(errors: Iterable[RegistryError], home: str) -> list[RegistryError]:
    """Return errors of ours, each telling our community."""
    return [RegistryError(e.code, _context(e), home, e.severity) for e in errors]


def retrieve_response(merged: Merged) -> str:
    """Return the RetrieveDocumentSetResponse of all communities."""
    return (
        f'<xds:RetrieveDocumentSetResponse xmlns:xds="{names.XDSB}">'
        + encode.registry_response(merged.errors, merged.status)
        + "".join(merged.pieces)
        + "</xds:RetrieveDocumentSetResponse>"
    )


def query_response(merged: Merged) -> str:
    """Return the AdhocQueryResponse of all communities."""
    return encode.query_response(merged.pieces, merged.errors, merged.status)


def _registry_error(element: etree._Element, home: str) -> RegistryError:
    location = element.get("location", "")
    context = element.get("codeContext", "")
    if not HOME.fullmatch(location):
        # What the location told is kept, where the community's name takes its place.
        if location and location not in context:
            context = f"{context} ({location})"
        location = home
    return RegistryError(
        element.get("errorCode", "") or "XDSRegistryError",
        context,
        location,
        element.get("severity", "") or names.ERROR,
    )


def _context(error: RegistryError) -> str:
    told = error.location and error.location not in error.context
    return f"{error.context} ({error.location})" if told else error.context


def _text(element: etree._Element) -> str:
    element.tail = None
    return etree.tostring(element, encoding="unicode")
