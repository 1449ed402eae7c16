"""Instances come in: keep the octets, then record them, many in one event and one commit.

PS3.4 B and PS3.18 10.5 end here (C-STORE, STOW-RS). Called from many threads of
`adapters.dimse` and `adapters.dicomweb`; returns when octets and event are durable (design A3, A5).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final
from uuid import UUID

from kernel.context import Envelope
from kernel.identifiers import PatientId, PatientKeys
from kernel.ledger.ports import Append, ClaimTaken, Ledger, StreamAppend, StreamMoved
from kernel.refusals import Refusal, Unavailable
from registry.patients import commands as patients
from registry.studies import commands
from registry.studies.refusals import InstanceDiffers, IntakeClosed, PatientNotKnown
from registry.studies.values import Instance, Outcome, Rejection, StudyBatch
from repository.instances.manifest import KEY_OBJECT_SELECTION
from repository.tiers.ports import BlobStore, Incoming, ObjectMissing
from workflows.compare_instances import same_dataset
from workflows.gather_instances import Group, Offer, Ticket
from workflows.identify_patient import PatientPolicy, demographics
from workflows.read_rejection import rejection_in

_KNOWN_PATIENTS: Final = 100_000
_KNOWN_SECONDS: Final = 60.0
_AT_ONCE: Final = 2048
"""Instances in one append."""
_log = logging.getLogger("pianku.intake")


class InstanceIntake:
    """Takes instances from any number of threads; one a process.

    While one commit is under way the instances that come meanwhile gather for the next, so a
    commit carries as many as there are senders, and a lone sender never waits for company.
    """

    def __init__(
        self,
        ledger: Ledger,
        blobs: BlobStore,
        patient_keys: PatientKeys,
        policy: PatientPolicy,
        *,
        keepers: int = 8,
    ) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._patient_keys = patient_keys
        self._policy = policy
        self._patients: dict[UUID, float] = {}
        """Patients known lately; looked at again now and then, for one may have been erased."""
        self._lock = threading.Lock()
        self._waiting: list[Ticket] = []
        self._leading = False
        self._closed = False
        # Flushes of one request's files overlap; threads are made when first needed.
        self._keepers = ThreadPoolExecutor(keepers, thread_name_prefix="keep")

    def store(self, offer: Offer, envelope: Envelope) -> Outcome:
        """Take one instance; returns when it is durable.

        Raises InstanceDiffers, PatientNotUsable, PatientNotKnown, IntakeClosed,
        StorageUnavailable, LedgerUnavailable.
        """
        (result,) = self.store_many((offer,), envelope)
        if isinstance(result, Refusal):
            raise result
        return result

    def store_many(self, offers: Sequence[Offer], envelope: Envelope) -> list[Outcome | Refusal]:
        """Take the instances of one request; each is stored or refused on its own."""
        if self._closed:
            raise IntakeClosed
        try:
            return self._take(offers, envelope)
        finally:
            for offer in offers:
                offer.incoming.discard()

    def close(self) -> None:
        """Take nothing more; what is under way is finished by its own threads."""
        self._closed = True
        self._keepers.shutdown()

    def _take(self, offers: Sequence[Offer], envelope: Envelope) -> list[Outcome | Refusal]:
        tickets = [Ticket(offer, envelope) for offer in offers]
        held = self._ledger.claims(commands.SOP_INSTANCE, [t.sop_uid for t in tickets])
        for ticket in tickets:
            if ticket.sop_uid in held:
                ticket.held_sha256 = held[ticket.sop_uid].fingerprint.hex()
        fresh = [ticket for ticket in tickets if not ticket.held_sha256]
        self._keep([ticket for ticket in fresh if self._prepare(ticket)])
        self._record([ticket for ticket in fresh if ticket.result is None])
        for ticket in tickets:
            if ticket.result is None:
                ticket.result = self._compare(ticket)
        return [ticket.outcome() for ticket in tickets]

    def _prepare(self, ticket: Ticket) -> bool:
        """Find out whose instance it is, and what it makes known of him."""
        header = ticket.offer.header
        try:
            patient = self._policy.patient(header)
            key = ticket.patient_key = self._patient_keys.key(patient)
            if not self._is_known(key):
                self._meet(ticket, patient, key)
            if header.sop_class_uid == KEY_OBJECT_SELECTION:
                ticket.rejection = rejection_in(ticket.offer.incoming)
        except Refusal as refusal:
            ticket.result = refusal
        return ticket.result is None

    def _meet(self, ticket: Ticket, patient: PatientId, key: UUID) -> None:
        state, version = self._ledger.fold(key, patients.NOT_KNOWN, patients.apply_patient)
        if not state.known and not self._policy.create:
            raise PatientNotKnown
        told = patients.receive_image(
            state,
            patient_key=key,
            patient_id=patient,
            demographics=demographics(ticket.offer.header),
            version=version,
        )
        if told is None:
            self._remember(key)
        else:
            ticket.patient = told.streams[0]

    def _is_known(self, key: UUID) -> bool:
        return time.monotonic() - self._patients.get(key, -_KNOWN_SECONDS) < _KNOWN_SECONDS

    def _remember(self, key: UUID) -> None:
        with self._lock:
            if len(self._patients) >= _KNOWN_PATIENTS:
                del self._patients[next(iter(self._patients))]
            self._patients[key] = time.monotonic()

    def _keep(self, tickets: Sequence[Ticket]) -> None:
        if len(tickets) == 1:
            tickets[0].keep()
            return
        for done in [self._keepers.submit(ticket.keep) for ticket in tickets]:
            done.result()

    def _record(self, tickets: Sequence[Ticket]) -> None:
        """Record what was kept: lead a commit, or let the thread that leads take it along."""
        if not tickets:
            return
        group = Group(tickets)
        with self._lock:
            for ticket in tickets:
                ticket.group = group
            self._waiting.extend(tickets)
            leads = not self._leading
            self._leading = True
        while not leads:
            group.wake.wait()
            leads = group.promoted
            if not leads:
                return
        while not group.is_done():
            self._lead()
        with self._lock:
            self._leading = bool(self._waiting)
            if self._waiting:
                successor = self._waiting[0].group
                assert successor is not None
                successor.promoted = True
                successor.wake.set()

    def _lead(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        try:
            self._commit(batch)
        except Exception:  # noqa: BLE001 - logged; see below
            # Whatever it is: the callers must be told, and the next thread must lead.
            _log.exception("instances could not be recorded")
        finally:
            for ticket in batch:
                if not ticket.recorded:
                    ticket.settle(Unavailable("the instance could not be recorded"))
                assert ticket.group is not None
                ticket.group.one_done()

    def _commit(self, batch: Sequence[Ticket]) -> None:
        """Commit one append for each caller in the batch; the ledger makes them one flush."""
        # The same SOP Instance UID twice: the first is recorded, the others compare with it.
        first: dict[str, Ticket] = {}
        later = [t for t in batch if first.setdefault(t.sop_uid, t) is not t]
        by_caller: dict[tuple[str, ...], list[Ticket]] = {}
        for ticket in first.values():
            by_caller.setdefault(_caller(ticket.envelope), []).append(ticket)
        groups = list(by_caller.values())
        results = self._ledger.append_all([self._append(group) for group in groups])
        for group, result in zip(groups, results, strict=True):
            self._finish(group, result)
        if later:
            self._commit(later)

    def _append(self, group: Sequence[Ticket]) -> Append:
        batches: dict[tuple[str, UUID], list[Instance]] = {}
        notes: dict[tuple[str, UUID], list[Rejection]] = {}
        told: dict[UUID, StreamAppend] = {}
        for ticket in group:
            header, key = ticket.offer.header, ticket.patient_key
            assert key is not None
            batches.setdefault((header.study_uid, key), []).append(ticket.instance())
            if ticket.rejection is not None:
                notes.setdefault((header.study_uid, key), []).append(ticket.rejection)
            if ticket.patient is not None and not self._is_known(key):
                told[key] = ticket.patient
        return commands.store(
            [
                StudyBatch(*whose, tuple(found), tuple(notes.get(whose, ())))
                for whose, found in batches.items()
            ],
            told.values(),
            group[0].envelope,
        )

    def _again(self, group: Sequence[Ticket]) -> None:
        (result,) = self._ledger.append_all([self._append(group)])
        self._finish(group, result)

    def _finish(self, group: Sequence[Ticket], result: int | Refusal) -> None:
        match result:
            case StreamMoved():
                # Another receiver, or the feed, told of the patient a moment ago.
                self._remember(result.stream)
                self._again(group)
            case ClaimTaken():
                self._finish_unclaimed(group, result)
            case Refusal():
                if len(group) > 1 and not isinstance(result, Unavailable):
                    for ticket in group:
                        self._again((ticket,))
                    return
                for ticket in group:
                    ticket.settle(result)
            case _:
                for ticket in group:
                    ticket.settle(Outcome.STORED)
                    if ticket.patient is not None:
                        self._remember(ticket.patient.stream)

    def _finish_unclaimed(self, group: Sequence[Ticket], taken: ClaimTaken) -> None:
        held = self._ledger.claims(commands.SOP_INSTANCE, [ticket.sop_uid for ticket in group])
        held.setdefault(taken.claim.key, taken.held)
        free = []
        for ticket in group:
            if ticket.sop_uid in held:
                ticket.held_sha256 = held[ticket.sop_uid].fingerprint.hex()
                ticket.settle(None)
            else:
                free.append(ticket)
        if free:
            self._again(free)

    def _compare(self, ticket: Ticket) -> Outcome | Refusal:
        """Say what becomes of an instance whose SOP Instance UID is held."""
        incoming = ticket.offer.incoming
        try:
            if ticket.held_sha256 == incoming.sha256:
                if not self._is_held(incoming):
                    incoming.keep()
                return Outcome.ALREADY_HELD
            if same_dataset(self._blobs, ticket.held_sha256, incoming):
                return Outcome.ALREADY_HELD
            return self._refuse(ticket)
        except Refusal as refusal:
            return refusal

    def _is_held(self, incoming: Incoming) -> bool:
        try:
            return self._blobs.size(incoming.sha256) == incoming.size
        except ObjectMissing:
            return False

    def _refuse(self, ticket: Ticket) -> InstanceDiffers:
        offered = ticket.offer.incoming.quarantine()
        append = commands.refuse(
            ticket.offer.header.study_uid,
            ticket.sop_uid,
            held_sha256=ticket.held_sha256,
            offered_sha256=offered,
            envelope=ticket.envelope,
        )
        with suppress(ClaimTaken):  # offered before: recorded once
            self._ledger.append(append)
        return InstanceDiffers(sop_uid=ticket.sop_uid)


def _caller(envelope: Envelope) -> tuple[str, ...]:
    """Return what must be equal for two requests to be told in one event.

    The correlation is not: the event then carries that of the first.
    """
    return (
        envelope.subject,
        envelope.subject_kind,
        envelope.purpose,
        envelope.protocol,
        envelope.address,
        envelope.node,
        envelope.source,
    )
