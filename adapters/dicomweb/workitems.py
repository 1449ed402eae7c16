"""UPS-RS: create, retrieve, update, search, claim, end and cancel workitems.

Implements PS3.18 11.4 to 11.9 (Worklist Service) with the status codes and Warning headers of their
tables. Called by `endpoint.py`; subscriptions are `workitem_subscriptions.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from adapters.dicomweb import decode, faults, workitem_payload
from adapters.dicomweb.access import Access
from adapters.dicomweb.archive import Archive, WorklistRooms
from adapters.dicomweb.workitem_subscriptions import SubscriptionResources
from adapters.http import problem
from adapters.http.exchange import Exchange
from adapters.http.refusals import MethodNotAllowed, NoSuchPath
from kernel.identifiers import dicom_uid, new_uid
from kernel.refusals import Refusal
from registry.access.values import Subject
from registry.workitems import attributes as rules
from registry.workitems import refusals
from registry.workitems.values import Attributes, Note
from repository.instances.dictionary import tag_of

_CONTROLS: Final = frozenset(("limit", "offset", "includefield", "fuzzymatching", "accept"))
_RETURNED: Final = frozenset(
    (
        rules.SOP_CLASS, rules.SOP_INSTANCE, rules.PATIENT_NAME, rules.PATIENT_ID, "00100021",
        "00100030", "00100040", rules.STUDY_UID, *rules.STATIONS, rules.START, "00404011",
        "00404018", rules.MODIFIED, rules.INPUT_READINESS, rules.HUMAN_PERFORMERS, "0040A370",
        rules.STATE, rules.PROGRESS, rules.PRIORITY, rules.WORKLIST_LABEL, rules.LABEL,
    )
)  # fmt: skip
"""What a search returns unasked (return keys of PS3.4 Table CC.2.5-3)."""
_ALREADY: Final[Mapping[Note, str]] = {
    Note.ALREADY_CANCELED: "The UPS is already in the requested state of CANCELED.",
    Note.ALREADY_COMPLETED: "The UPS is already in the requested state of COMPLETED.",
}
_INCONSISTENT: Final = (
    "The submitted request is inconsistent with the current state of the Workitem."
)
_INCONSISTENT_STATE: Final = (
    "The submitted request is inconsistent with the state of the UPS Instance."
)
_TRANSACTION: Final[Sequence[tuple[type[Refusal], str]]] = (
    (refusals.TransactionUidMissing, "The Transaction UID is missing."),
    (refusals.TransactionUidWrong, "The Transaction UID is incorrect."),
)
_WHY_NOT_UPDATED: Final[Sequence[tuple[type[Refusal], str]]] = (
    *_TRANSACTION,
    (refusals.WorkitemNotClaimed, "The target URI did not reference a claimed Workitem."),
    (refusals.WorkitemEnded, _INCONSISTENT),
)
_WHY_NOT_CHANGED: Final[Sequence[tuple[type[Refusal], str]]] = (
    *_TRANSACTION,
    *(
        (kind, _INCONSISTENT_STATE)
        for kind in (
            refusals.WorkitemNotClaimed,
            refusals.WorkitemInProgress,
            refusals.WorkitemEnded,
            refusals.WorkitemUnfinished,
            refusals.ScheduledByCreation,
        )
    ),
)
_WHY_NOT_CANCELED: Final[Sequence[tuple[type[Refusal], str]]] = (
    (refusals.WorkitemDone, "The UPS is already COMPLETED."),
)


class WorkitemResources:
    """The resources below /workitems; one a process."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access
        self._subscriptions = SubscriptionResources(archive, access)

    async def answer(self, exchange: Exchange, subject: Subject, path: list[str]) -> None:
        """Answer a request; `path` begins with `workitems`."""
        if self._archive.worklist is None:
            raise NoSuchPath
        match path:
            case ["workitems"]:
                await self._of_all(exchange, subject)
            case ["workitems", uid]:
                await self._of_one(exchange, subject, decode.uid(uid))
            case ["workitems", uid, "state", *requester] if len(requester) < 2:
                _only(exchange, "PUT")
                await self._change_state(exchange, subject, decode.uid(uid))
            case ["workitems", uid, "cancelrequest", *requester] if len(requester) < 2:
                _only(exchange, "POST")
                await self._request_cancel(exchange, subject, decode.uid(uid), requester)
            case ["workitems", uid, "subscribers", ae_title, *rest]:
                target = (decode.uid(uid), ae_title)
                await self._subscriptions.answer(exchange, subject, target, rest)
            case _:
                raise NoSuchPath

    async def _of_all(self, exchange: Exchange, subject: Subject) -> None:
        if exchange.method == "POST":
            await self._create(exchange, subject)
            return
        _only(exchange, "GET", "HEAD", besides=("POST",))
        await self._search(exchange, subject)

    async def _of_one(self, exchange: Exchange, subject: Subject, sop_uid: str) -> None:
        if exchange.method == "POST":
            await self._update(exchange, subject, sop_uid)
            return
        _only(exchange, "GET", "HEAD", besides=("POST",))
        await self._retrieve(exchange, subject, sop_uid)

    @property
    def _worklist(self) -> WorklistRooms:
        worklist = self._archive.worklist
        if worklist is None:
            raise NoSuchPath
        return worklist

    async def _create(self, exchange: Exchange, subject: Subject) -> None:
        await self._access.allow(subject, "store", transaction="UPS-RS Create")
        attributes = await workitem_payload.attributes_of(exchange)
        told = _bare(exchange, "workitem") or rules.text(attributes, rules.SOP_INSTANCE)
        # Who names no workitem gets one.
        sop_uid = dicom_uid(told) if told else new_uid()
        envelope = self._archive.guard.envelope(subject, "ups-rs")
        perform = self._worklist.perform
        note = await self._archive.run(lambda: perform.create(sop_uid, attributes, envelope))
        place = f"{exchange.base}{self._archive.prefix}/workitems/{sop_uid}".encode("latin-1")
        headers = [(b"location", place), (b"content-location", place)]
        if note is Note.MODIFIED:
            headers.append(warning("The Workitem was created with modifications."))
        await exchange.answer(201, headers)

    async def _retrieve(self, exchange: Exchange, subject: Subject, sop_uid: str) -> None:
        await self._access.allow(subject, "view", transaction="UPS-RS Retrieve")
        workitem_payload.wants_xml(exchange)
        perform = self._worklist.perform
        told = await self._archive.run(lambda: perform.read(sop_uid))
        await self._access.record(
            subject,
            "view",
            "UPS-RS Retrieve",
            patient_keys=(told.patient_key,),
            study_uids=(told.study_uid,) if told.study_uid else (),
            count=1,
        )
        headers = [(b"cache-control", b"no-store"), (b"vary", b"accept")]
        await workitem_payload.answer(exchange, told.attributes, headers)

    async def _search(self, exchange: Exchange, subject: Subject) -> None:
        await self._access.allow(subject, "query", transaction="UPS-RS Search")
        workitem_payload.wants_xml(exchange)
        keys, unknown = _keys(exchange.query)
        limits = self._archive.limits
        offset, limit = decode.page(exchange.query, limits.results)
        policy = self._archive.clause(subject, "query", "study")
        index = self._worklist.index
        found, more = await self._archive.run(
            lambda: index.find(keys, policy=policy, offset=offset, limit=limit)
        )
        await self._access.record(
            subject,
            "query",
            "UPS-RS Search",
            count=len(found),
            patient_keys=tuple(dict.fromkeys(one.patient_key for one in found))[:20],
            # Which keys were asked by, never their values: those may name a person.
            detail=",".join(keys)[:200],
        )
        wanted = decode.included(exchange.query)
        told = [_chosen(one.attributes, keys, *wanted) for one in found]
        headers = [(b"cache-control", b"no-store"), (b"vary", b"accept, accept-encoding")]
        if more:
            headers.append(warning("There are additional results that can be requested"))
        if unknown:
            names = ",".join(name for name in unknown if name.isascii() and name.isalnum())
            headers.append(warning(f"The following attributes were not used for matching: {names}"))
        await workitem_payload.answer_many(exchange, 206 if more else 200, told, headers)

    async def _update(self, exchange: Exchange, subject: Subject, sop_uid: str) -> None:
        await self._access.allow(subject, "store", transaction="UPS-RS Update")
        attributes = await workitem_payload.attributes_of(exchange)
        transaction = _bare(exchange, "transaction", "transaction-uid", "transactionuid")
        envelope = self._archive.guard.envelope(subject, "ups-rs")
        perform = self._worklist.perform
        try:
            await self._archive.run(
                lambda: perform.change(sop_uid, attributes, envelope, transaction_uid=transaction)
            )
        except Refusal as refusal:
            # Table 11.6.3-1 calls the update of what has ended a bad request.
            status = 400 if isinstance(refusal, refusals.WorkitemEnded) else None
            await _refuse(exchange, refusal, _WHY_NOT_UPDATED, status)
            return
        await exchange.answer(200, [])

    async def _change_state(self, exchange: Exchange, subject: Subject, sop_uid: str) -> None:
        await self._access.allow(subject, "store", transaction="UPS-RS Change State")
        asked = await workitem_payload.attributes_of(exchange)
        envelope = self._archive.guard.envelope(subject, "ups-rs")
        perform = self._worklist.perform
        try:
            note = await self._archive.run(lambda: perform.change_state(sop_uid, asked, envelope))
        except Refusal as refusal:
            await _refuse(exchange, refusal, _WHY_NOT_CHANGED)
            return
        await exchange.answer(200, [warning(_ALREADY[note])] if note in _ALREADY else [])

    async def _request_cancel(
        self, exchange: Exchange, subject: Subject, sop_uid: str, requester: list[str]
    ) -> None:
        await self._access.allow(subject, "store", transaction="UPS-RS Request Cancellation")
        asked = await workitem_payload.attributes_of(exchange, may_be_empty=True)
        told = (requester or exchange.asked("requester") or [""])[0]
        requester_ae = told if told.isascii() and told.isprintable() else ""
        envelope = self._archive.guard.envelope(subject, "ups-rs")
        perform = self._worklist.perform
        try:
            note = await self._archive.run(
                lambda: perform.request_cancel(
                    sop_uid, asked, envelope, requester=requester_ae[:16]
                )
            )
        except Refusal as refusal:
            await _refuse(exchange, refusal, _WHY_NOT_CANCELED)
            return
        await exchange.answer(202, [warning(_ALREADY[note])] if note in _ALREADY else [])


def warning(text: str) -> tuple[bytes, bytes]:
    """Return a Warning header (PS3.18 8.4.2 and the tables of 11)."""
    return b"warning", f'299 pianku "{text}"'.encode("ascii", "replace")


def _only(exchange: Exchange, *methods: str, besides: tuple[str, ...] = ()) -> None:
    if exchange.method not in methods:
        raise MethodNotAllowed(allow=", ".join((*methods, *besides, "OPTIONS")))


async def _refuse(
    exchange: Exchange,
    refusal: Refusal,
    reasons: Iterable[tuple[type[Refusal], str]],
    status: int | None = None,
) -> None:
    """Answer a refusal that a Warning header explains; others go the usual way."""
    text = next((why for kind, why in reasons if isinstance(refusal, kind)), "")
    if not text:
        raise refusal
    word = status or faults.status_of(refusal)
    body, headers = problem.problem(refusal, word)
    await exchange.answer(word, [*headers, warning(text)], body)


def _bare(exchange: Exchange, *names: str) -> str:
    """Return a query parameter, which older editions write without its name."""
    for name, value in exchange.query:
        if name.lower() in names:
            return value
        if not value and name[:1].isdigit():
            return name
    return ""


def _keys(fields: Sequence[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Return what is to match by path of tags, and what names no attribute."""
    keys, unknown = {}, []
    for name, value in fields:
        if name.lower() in _CONTROLS:
            continue
        tags = [tag_of(part) for part in name.split(".")]
        if None in tags:
            unknown.append(name[:64])
        else:
            keys[".".join(f"{tag:08X}" for tag in tags if tag is not None)] = value
    return keys, unknown


def _chosen(
    held: Attributes, keys: Mapping[str, str], included: frozenset[int], everything: bool
) -> Attributes:
    if everything:
        return held
    wanted = _RETURNED | {path.split(".")[0] for path in keys} | {f"{t:08X}" for t in included}
    return {tag: told for tag, told in held.items() if tag in wanted}
