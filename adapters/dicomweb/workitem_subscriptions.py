"""UPS-RS: who is told of workitems: subscribe, unsubscribe, suspend.

Implements PS3.18 11.10 to 11.12. Called by `workitems.py`. Reports go to the subscriber's AE over
DIMSE if it has an address, else by `notification_channel.py`.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from adapters.dicomweb import decode
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive
from adapters.http.exchange import Exchange
from adapters.http.refusals import MethodNotAllowed, NoSuchPath
from registry.access.values import Subject
from registry.workitems.values import FILTERED
from repository.instances.dictionary import tag_of

_LOCK: Final = "deletionlock"
_FILTER: Final = "filter"


class SubscriptionResources:
    """The resources below /workitems/{workitem}/subscribers; one a process."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access

    async def answer(
        self, exchange: Exchange, subject: Subject, target: tuple[str, str], rest: list[str]
    ) -> None:
        """Answer a request for a workitem (or a well-known UID) and a subscriber's AE title."""
        if rest not in ([], ["suspend"]):
            raise NoSuchPath
        await self._access.allow(subject, "store", transaction="UPS-RS Subscription")
        match exchange.method, rest:
            case "POST", ["suspend"]:
                await self._suspend(exchange, subject, *target)
            case "POST", []:
                await self._subscribe(exchange, subject, *target)
            case "DELETE", []:
                await self._unsubscribe(exchange, subject, *target)
            case _:
                raise MethodNotAllowed(allow="POST, OPTIONS" if rest else "POST, DELETE, OPTIONS")

    async def _subscribe(
        self, exchange: Exchange, subject: Subject, sop_uid: str, ae_title: str
    ) -> None:
        worklist = self._archive.worklist
        if worklist is None:
            raise NoSuchPath
        lock = any(decode.boolean(value) for value in exchange.asked(_LOCK))
        filters = _filters(exchange.query) if sop_uid == FILTERED else {}
        envelope = self._archive.guard.envelope(subject, "ups-rs")
        await self._archive.run(
            lambda: worklist.perform.subscribe(
                sop_uid, ae_title, envelope, deletion_lock=lock, filters=filters
            )
        )
        # PS3.18 11.10.3.2: where the channel of this subscriber is opened.
        place = f"ws{exchange.base[4:]}{self._archive.prefix}/subscribers/{quote(ae_title)}"
        await exchange.answer(201, [(b"content-location", place.encode("latin-1"))])

    async def _unsubscribe(
        self, exchange: Exchange, subject: Subject, sop_uid: str, ae_title: str
    ) -> None:
        worklist = self._archive.worklist
        if worklist is None:
            raise NoSuchPath
        envelope = self._archive.guard.envelope(subject, "ups-rs")
        await self._archive.run(lambda: worklist.perform.unsubscribe(sop_uid, ae_title, envelope))
        await exchange.answer(200, [])

    async def _suspend(
        self, exchange: Exchange, subject: Subject, sop_uid: str, ae_title: str
    ) -> None:
        worklist = self._archive.worklist
        if worklist is None:
            raise NoSuchPath
        envelope = self._archive.guard.envelope(subject, "ups-rs")
        await self._archive.run(lambda: worklist.perform.suspend(sop_uid, ae_title, envelope))
        await exchange.answer(200, [])


def _filters(fields: list[tuple[str, str]]) -> dict[str, str]:
    """Return the filter: parameters of their own, or `filter=key=value,...` of older editions."""
    told: list[tuple[str, str]] = []
    for name, value in fields:
        if name.lower() == _FILTER:
            pairs = (part.partition("=") for part in value.split(",") if part)
            told += [(key, wanted) for key, _, wanted in pairs]
        elif name.lower() != _LOCK:
            told.append((name, value))
    found = {}
    for name, value in told:
        tags = [tag_of(part) for part in name.strip().split(".")]
        if None in tags:
            raise decode.BadParameter("a filter names an attribute that is none")
        found[".".join(f"{tag:08X}" for tag in tags if tag is not None)] = value.strip()
    return found
