"""A retrieval as gateways look at it: which documents of which community, answers made one.

Implements ITI TF-2 3.39 and RAD TF-3 4.75, which differ in the request's outer elements only.
Used by `iti39_cross_gateway_retrieve.py` and `rad75_cross_gateway_retrieve_imaging.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from lxml import etree

from adapters.soap.client import Reply
from adapters.soap.door import Answer
from adapters.soap.exchange import Part
from adapters.soap.names import XOP
from adapters.soap.refusals import PeerAnswerMalformed
from adapters.xds import cross_gateway_answers as answers
from adapters.xds import names
from adapters.xds.communities import HOME, missing_home, unknown_home
from adapters.xds.cross_gateway_answers import Merged
from adapters.xds.encode import RegistryError

_REQUEST: Final = f"{{{names.XDSB}}}DocumentRequest"
_RESPONSE: Final = f"{{{names.XDSB}}}DocumentResponse"
_HOME: Final = f"{{{names.XDSB}}}HomeCommunityId"
_DOCUMENT_ID: Final = f"{{{names.XDSB}}}DocumentUniqueId"
_DOCUMENT: Final = f"{{{names.XDSB}}}Document"
_RETRIEVED: Final = f"{{{names.XDSB}}}RetrieveDocumentSetResponse"
_INCLUDE: Final = f"{{{XOP}}}Include"


class GatewayRetrieve:
    """One retrieval: its documents by community."""

    def __init__(self, body: etree._Element) -> None:
        self._body = body
        self.by_home: dict[str, list[str]] = {}
        """homeCommunityId -> uniqueIds of documents (or instances); "" for those without."""
        for request in body.iter(_REQUEST):
            self.by_home.setdefault(_home(request), []).append(_unique_id(request))

    def for_community(self, home: str) -> etree._Element:
        """Return the request with nothing but what this community holds."""
        body = copy.deepcopy(self._body)
        for request in list(body.iter(_REQUEST)):
            if _home(request) != home:
                _remove(request)
        body.tail = None
        return body

    def strays(self, known: Iterable[str]) -> list[RegistryError]:
        """Return an error for each document whose community is missing or not known."""
        homes = frozenset(known)
        return [
            unknown_home(home, home)
            if home
            else missing_home(f"the request for {unique_id[:128]} needs a HomeCommunityId")
            for home, unique_ids in self.by_home.items()
            if home not in homes
            for unique_id in unique_ids
        ]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What tells one kind of retrieval from another."""

    transaction: str
    action: str
    """wsa:Action between gateways."""
    check: Callable[[etree._Element], object]
    """Raises SoapFault for a request that is no valid message."""


class Collected:
    """DocumentResponses of several communities, with the parts that hold their octets."""

    def __init__(self, errors: Iterable[RegistryError] = ()) -> None:
        self.merged = Merged(errors=list(errors))
        self.parts: list[Part] = []

    def add_own(self, answer: Answer, home: str) -> None:
        """Add what our own repository or archive answered."""
        response = etree.fromstring(answer.body)
        self.merged.add_retrieve_status(response, home)
        for document in response.iterfind(_RESPONSE):
            self._add(document, home)
        self.parts.extend(answer.parts)

    def add_reply(self, reply: Reply, home: str, asked: Iterable[str]) -> list[str]:
        """Add what a community answered; return the uniqueIds that came."""
        before = len(self.merged.errors)
        if reply.body.tag != _RETRIEVED:
            why = f"{home} did not answer with the response asked for"
            self.merged.errors.append(RegistryError("XDSUnavailableCommunity", why, home))
            return []
        self.merged.add_retrieve_status(reply.body, home)
        wanted = set(asked)
        came: list[str] = []
        for document in reply.body.iterfind(_RESPONSE):
            unique_id = _unique_id(document)
            why = "was not asked for" if unique_id not in wanted else self._part(reply, document)
            if why:
                self._refuse(f"{home}: {unique_id[:128]} {why}", home)
            else:
                came.append(unique_id)
                self._add(document, home)
        missing = wanted.difference(came)
        if missing and len(self.merged.errors) == before:
            for unique_id in sorted(missing):
                self._refuse(f"{home} did not return {unique_id[:128]}", home)
        return came

    def discard(self) -> None:
        """Let go of what was collected."""
        for part in self.parts:
            if part.held is not None:
                part.held.discard()

    def answer(self, action: str = "") -> Answer:
        """Return the response of all."""
        body = answers.retrieve_response(self.merged)
        return Answer(body, tuple(self.parts), mtom=True, action=action)

    def _part(self, reply: Reply, response: etree._Element) -> str:
        """Take a document's octets into a part of ours; return what is wrong with it."""
        document = response.find(_DOCUMENT)
        try:
            held = None if document is None else reply.content(document)
        except PeerAnswerMalformed as problem:
            return problem.message
        if document is None or held is None:
            return "came without its octets"
        part = Part(f"{uuid4().hex}@pianku", "", held.size, held)
        document.text = None
        for child in list(document):
            document.remove(child)
        etree.SubElement(document, _INCLUDE, href=f"cid:{part.cid}")
        self.parts.append(part)
        return ""

    def _add(self, response: etree._Element, home: str) -> None:
        told = response.find(_HOME)
        if told is None:
            told = etree.Element(_HOME)
            response.insert(0, told)
        if not HOME.fullmatch((told.text or "").strip()):
            told.text = home
        response.tail = None
        self.merged.pieces.append(etree.tostring(response, encoding="unicode"))

    def _refuse(self, context: str, home: str) -> None:
        self.merged.errors.append(RegistryError("XDSRepositoryError", context, home))


def _home(request: etree._Element) -> str:
    return (request.findtext(_HOME) or "").strip()


def _unique_id(element: etree._Element) -> str:
    return (element.findtext(_DOCUMENT_ID) or "").strip()


def _remove(request: etree._Element) -> None:
    """Take a request out, and the series and studies that are empty then."""
    element: etree._Element | None = request
    while element is not None:
        above = element.getparent()
        if above is None:
            return
        above.remove(element)
        left = any(isinstance(child.tag, str) for child in above)
        element = None if left else above
