"""What C-MOVE and C-GET share: which instances, and one C-STORE sub-operation for each.

PS3.4 C.4.2 and C.4.3 (sub-operations, counts, statuses). Called by `c_move.py` and `c_get.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from adapters.dimse import decode, encode, faults
from adapters.dimse.association import Association, response_elements
from adapters.dimse.c_find import Index, search_of
from adapters.dimse.contexts import Context, to_send
from adapters.dimse.decode import Command
from adapters.dimse.messages import Interrupted, Messages
from adapters.dimse.query import (
    PATIENT_ID,
    SERIES_UID,
    SOP_UID,
    STUDY_UID,
    BadIdentifierDataset,
    Identifier,
    Level,
)
from adapters.dimse.requestor import DestinationLost
from adapters.dimse.wire import PeerClosed, PeerStalled
from kernel.refusals import Refusal, TooMuch
from projections.permissions.policy import clause
from projections.storage_map.view import Location
from projections.study_index.attributes import Level as IndexLevel
from registry.access.values import Resource
from repository.instances.correcting import Changes
from repository.tiers.ports import BlobStore
from workflows.retrieve_object import Corrections, OpenedDataset, open_as, uncorrected

log = logging.getLogger("pianku.dimse")
_TELL_SECONDS: Final = 0.5
_STORE_RQ: Final = 0x0001
_STORE_RSP: Final = 0x8001
_CANCEL: Final = 0x0FFF
_WARNINGS: Final = range(0xB000, 0xC000)
_MEDIUM: Final = 0


class TooManyInstances(TooMuch):
    """The retrieval asks for more instances than one request may."""

    code = "too_many_instances"


class Map(Protocol):
    """The storage map."""

    def instances(self, study_uid: str, series_uid: str = "") -> Sequence[Location]:
        """Return the instances of a study or series."""
        ...

    def locate_many(self, sop_uids: Iterable[str]) -> dict[str, Location]:
        """Return those of the instances that are known."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a retrieval looks and reads."""

    index: Index
    storage_map: Map
    blobs: BlobStore
    corrections: Corrections = uncorrected


@dataclass(frozen=True, slots=True)
class Prepared:
    """An instance that is ready to be sent, and the context it goes in."""

    context: Context
    opened: OpenedDataset


@dataclass(slots=True)
class Progress:
    """The counts of sub-operations (PS3.7 9.1.3.1.6-9, 9.1.4.1.7-10)."""

    remaining: int
    completed: int = 0
    warning: int = 0
    failed: list[str] = field(default_factory=list)

    def numbers(self, *, is_final: bool) -> dict[str, int]:
        """Return the count elements of a response."""
        numbers = {"completed": self.completed, "warning": self.warning, "failed": len(self.failed)}
        return numbers if is_final else {"remaining": self.remaining, **numbers}


def resolve(association: Association, identifier: Identifier, sources: Sources) -> list[Location]:
    """Return the instances an identifier names; raises BadIdentifierDataset, TooManyInstances."""
    studies = identifier.uids(STUDY_UID)
    series = identifier.uids(SERIES_UID)
    found: list[Location] = []
    if identifier.level is Level.IMAGE:
        wanted = identifier.uids(SOP_UID)
        _check(bool(wanted), "SOP Instance UID")
        found = [
            one
            for one in sources.storage_map.locate_many(wanted).values()
            if one.study_uid in (studies or {one.study_uid})
            and one.series_uid in (series or {one.series_uid})
        ]
    elif identifier.level is Level.SERIES:
        _check(bool(series), "Series Instance UID")
        for study in studies or _studies(association, identifier, sources):
            for one in series:
                found.extend(sources.storage_map.instances(study, one))
    else:
        if identifier.level is Level.PATIENT:
            _check(bool(identifier.keys.get(PATIENT_ID)), "Patient ID")
            studies = _studies(association, identifier, sources)
        _check(bool(studies) or identifier.level is Level.PATIENT, "Study Instance UID")
        for study in studies:
            found.extend(sources.storage_map.instances(study))
    if len(found) > association.limits.max_results:
        raise TooManyInstances
    return found


def allow(association: Association, found: Sequence[Location], action: str, why: str) -> None:
    """Ask the guard for every study and record the access, before the first octet leaves."""
    transaction = f"C-{action.upper()}"
    studies = {one.study_uid: one.patient_key for one in found}
    for study_uid, patient_key in studies.items():
        association.guard.check(
            association.subject,
            action,
            Resource("study", patient_key, study_uid),
            transaction=transaction,
        )
    association.guard.record(
        association.subject,
        action,
        "success",
        transaction,
        study_uids=tuple(studies),
        patient_keys=tuple(dict.fromkeys(studies.values())),
        count=len(found),
        detail=f"{why} original".strip() if association.gives_originals else why,
    )


class Transfer:
    """Sends instances one after the other, and tells the requestor how far it is."""

    def __init__(
        self,
        association: Association,
        context: Context,
        command: Command,
        *,
        sources: Sources,
        found: Sequence[Location],
    ) -> None:
        self.progress = Progress(len(found))
        self._association = association
        self._context = context
        self._command = command
        self._blobs = sources.blobs
        self._found = found
        self._changes: Mapping[str, Changes] = {}
        if found and not association.gives_originals:
            self._changes = sources.corrections([one.sop_uid for one in found])
        self._told = time.monotonic()

    def run(
        self,
        messages: Messages,
        contexts: Iterable[Context],
        is_cancelled: Callable[[], bool],
        originator: dict[int, int | str] | None = None,
    ) -> int:
        """Send everything; returns the final status of PS3.4 C.4.2.1.5 and C.4.3.1.4."""
        usable = tuple(contexts)
        progress = self.progress
        following = self._prepared(usable, 0)
        for number, location in enumerate(self._found):
            if is_cancelled():
                return faults.CANCELLED
            prepared = following
            try:
                if isinstance(prepared, Prepared):
                    self._send(messages, prepared, location, number, originator or {})
                # The next one is read (or decoded) while the peer stores this one.
                following = self._prepared(usable, number + 1)
                word = self._answer_of(messages) if isinstance(prepared, Prepared) else prepared
            except (PeerClosed, PeerStalled, Interrupted) as problem:
                if messages is self._association.messages:
                    raise
                raise DestinationLost from problem
            progress.remaining -= 1
            if word == faults.SUCCESS:
                progress.completed += 1
            elif word in _WARNINGS:
                progress.warning += 1
            else:
                progress.failed.append(location.sop_uid)
            self._tell()
        if progress.failed and not progress.completed and not progress.warning:
            return faults.CANNOT_PERFORM_SUBOPERATIONS
        return faults.SUBOPERATIONS_FAILED if progress.failed or progress.warning else 0

    def finish(self, status: int) -> None:
        """Send the final response, with the instances that failed if there are any."""
        elements = response_elements(
            self._command, status, numbers=self.progress.numbers(is_final=True)
        )
        identifier = None
        if self.progress.failed and status != faults.SUCCESS:
            elements[0x0800] = 0
            identifier = failed_list(self.progress.failed, self._context.transfer_syntax)
        self._association.messages.send(self._context.id, encode.command(elements), identifier)

    def fail_rest(self) -> None:
        """Count every sub-operation that was not finished as failed."""
        left = self._found[len(self._found) - self.progress.remaining :]
        self.progress.failed.extend(one.sop_uid for one in left)
        self.progress.remaining = 0

    def _prepared(self, contexts: Sequence[Context], number: int) -> Prepared | int:
        """Open the instance of that number; the status of its failure when it cannot be sent."""
        if number >= len(self._found):
            return faults.PROCESSING_FAILURE
        location = self._found[number]
        context = to_send(contexts, location.sop_class, location.transfer_syntax)
        if context is None:
            return faults.NO_SUCH_SOP_CLASS
        try:
            changes = self._changes.get(location.sop_uid)
            opened = open_as(self._blobs, location.key, context.transfer_syntax, changes)
            return Prepared(context, opened)
        except Refusal as refusal:
            log.warning("instance not sent", extra={"code": refusal.code})
            return faults.PROCESSING_FAILURE

    def _send(
        self,
        messages: Messages,
        prepared: Prepared,
        location: Location,
        number: int,
        originator: dict[int, int | str],
    ) -> None:
        command = encode.command(
            {
                0x0002: location.sop_class,
                0x0100: _STORE_RQ,
                0x0110: number % 0xFFFF + 1,
                0x0700: _MEDIUM,
                0x0800: 0,
                0x1000: location.sop_uid,
                **originator,
            }
        )
        opened = prepared.opened
        messages.send_dataset(prepared.context.id, command, opened.chunks(), opened.size)

    def _answer_of(self, messages: Messages) -> int:
        while True:
            messages.wire.begin_message()
            _, command = messages.read_command()
            kind = decode.number(command, 0x0100)
            if kind == _STORE_RSP:
                return decode.number(command, 0x0900, faults.PROCESSING_FAILURE)
            if kind != _CANCEL:
                return faults.PROCESSING_FAILURE
            self._association.cancel(command)

    def _tell(self) -> None:
        """Send a pending response now and then; they are optional."""
        moment = time.monotonic()
        if moment - self._told < _TELL_SECONDS or not self.progress.remaining:
            return
        self._told = moment
        self._association.messages.send(
            self._context.id,
            encode.command(
                response_elements(
                    self._command, faults.PENDING, numbers=self.progress.numbers(is_final=False)
                )
            ),
        )


def failed_list(uids: Sequence[str], transfer_syntax: str) -> bytes:
    """Return the identifier with Failed SOP Instance UID List (0008,0058)."""
    value = "\\".join(uids).encode()
    value += b"\x00" * (len(value) & 1)
    if transfer_syntax == "1.2.840.10008.1.2":
        return b"\x08\x00\x58\x00" + len(value).to_bytes(4, "little") + value
    # A UI has a length of 16 bits in explicit VR: name as many as fit.
    if len(value) > 0xFFFE:
        value = value[: value.rindex(b"\\", 0, 0xFFFE)]
        value += b"\x00" * (len(value) & 1)
    return b"\x08\x00\x58\x00UI" + len(value).to_bytes(2, "little") + value


def _studies(association: Association, identifier: Identifier, sources: Sources) -> list[str]:
    """Return the studies of a patient or series."""
    by_series = identifier.level is Level.SERIES
    tags = {SERIES_UID} if by_series else {PATIENT_ID, 0x00100021}
    search = replace(
        search_of(identifier),
        level=IndexLevel.SERIES if by_series else IndexLevel.STUDY,
        filters=tuple((t, v) for t, v in identifier.filters() if t in tags),
        include=frozenset(),
        limit=association.limits.max_results,
    )
    policy = clause(association.subject, "find", "study")
    return list(sources.index.find(search, policy=policy).study_uids)


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise BadIdentifierDataset(f"the identifier names no {what}")
