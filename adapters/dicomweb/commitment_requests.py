"""Storage commitment over the web: the request, answered at once, and its result again.

Implements PS3.18 13.4 (Request), 13.5 (Result Check) and J (payload). Called by `endpoint.py`; what
is committed is judged as for the DIMSE service (PS3.4 J).
"""

from __future__ import annotations

from typing import Final

from adapters.dicomweb import decode, encode, workitem_payload
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive, CommitmentRooms
from adapters.http.exchange import Exchange
from adapters.http.refusals import MethodNotAllowed, NoSuchPath
from kernel.context import Envelope
from kernel.identifiers import dicom_uid
from kernel.refusals import NotFound
from registry.access.values import Subject
from registry.commitments.refusals import CommitmentEmpty
from registry.commitments.values import Judged, Reference
from registry.workitems import attributes as rules
from registry.workitems.values import Attributes

_REQUESTER: Final = "\\WEB"
"""Stands where the AE title of a DIMSE requester does; no AE title holds a backslash."""
_REFERENCED: Final = "00081199"
_FAILED: Final = "00081198"
_BY_STUDY: Final = "00081110"
_REASON: Final = "00081197"
_CLASS: Final = "00081150"
_INSTANCE: Final = "00081155"


class CommitmentNotKnown(NotFound):
    """No storage commitment was asked for under this Transaction UID."""

    code = "commitment_not_known"


class CommitmentResources:
    """The resources below /commitment-requests; one a process."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access

    async def answer(self, exchange: Exchange, subject: Subject, path: list[str]) -> None:
        """Answer a request; `path` begins with `commitment-requests`."""
        rooms = self._archive.commitments
        if rooms is None or len(path) != 2:
            raise NoSuchPath
        transaction_uid = decode.uid(path[1])
        if exchange.method not in {"POST", "GET", "HEAD"}:
            raise MethodNotAllowed(allow="GET, HEAD, POST, OPTIONS")
        await self._access.allow(subject, "store", transaction="Storage Commitment")
        workitem_payload.wants_xml(exchange)
        if exchange.method == "POST":
            asked = _references(await workitem_payload.attributes_of(exchange))
            envelope = self._archive.guard.envelope(subject, "commitment-rs")
            judged = await self._archive.run(
                lambda: _commit(rooms, transaction_uid, asked, envelope)
            )
        else:
            judged = await self._archive.run(lambda: _result(rooms, transaction_uid))
        headers = [(b"cache-control", b"no-store"), (b"vary", b"accept")]
        await workitem_payload.answer(exchange, _told(judged), headers)


def _commit(
    rooms: CommitmentRooms, transaction_uid: str, asked: list[Reference], envelope: Envelope
) -> Judged:
    """Take responsibility and say at once for what; raises CommitmentTransactionTaken."""
    rooms.commits.ask(_REQUESTER, transaction_uid, asked, envelope)
    return _result(rooms, transaction_uid)


def _result(rooms: CommitmentRooms, transaction_uid: str) -> Judged:
    """Judge what was asked for as it is now; raises CommitmentNotKnown."""
    owed = rooms.queue.of(_REQUESTER, transaction_uid)
    if owed is None:
        raise CommitmentNotKnown(transaction_uid=transaction_uid)
    judged = rooms.commits.judge(owed.references)
    rooms.commits.reported(owed, judged)
    return judged


def _references(asked: Attributes) -> list[Reference]:
    told = [*rules.items(asked, _REFERENCED), *_by_study(asked)]
    found = [
        Reference(dicom_uid(rules.text(item, _CLASS)), dicom_uid(rules.text(item, _INSTANCE)))
        for item in told
    ]
    if not found:
        raise CommitmentEmpty
    return found


def _by_study(asked: Attributes) -> list[Attributes]:
    """Return the references of a Referenced Study Sequence (PS3.18 Table J.1-1), each as its own.

    They are answered in the Referenced and Failed SOP Sequences, which name the same instances.
    """
    return [
        {_CLASS: group[_CLASS], _INSTANCE: item.get(_INSTANCE, {})}
        for study in rules.items(asked, _BY_STUDY)
        for series in rules.items(study, "00081115")
        for group in rules.items(series, "00081112")
        for item in rules.items(group, "0008114A")
        if _CLASS in group
    ]


def _told(judged: Judged) -> Attributes:
    committed = [_item(one) for one in judged.committed]
    failed = [
        encode.sequence_item(
            (
                (_CLASS, "UI", [one.sop_class]),
                (_INSTANCE, "UI", [one.sop_uid]),
                (_REASON, "US", [int(reason)]),
            )
        )
        for one, reason in judged.failed
    ]
    return {
        tag: {"vr": "SQ", "Value": items}
        for tag, items in ((_FAILED, failed), (_REFERENCED, committed))
        if items
    }


def _item(one: Reference) -> Attributes:
    return encode.sequence_item(((_CLASS, "UI", [one.sop_class]), (_INSTANCE, "UI", [one.sop_uid])))
