"""C-STORE: from the socket to the tier as it comes, answered when it is durable.

PS3.7 9.1.1, PS3.4 B (Storage Service Class, conformance level 2). Called by `association.py`;
hands each instance to `workflows.store_instances`.
"""

from __future__ import annotations

import logging
from typing import Final

from adapters.dimse import decode, faults
from adapters.dimse.association import Association
from adapters.dimse.contexts import Context, Operation
from adapters.dimse.decode import Command
from adapters.dimse.messages import Interrupted
from adapters.dimse.ports import Intake
from adapters.dimse.upper_layer import Event
from kernel.identifiers import dicom_uid
from kernel.refusals import Refusal
from registry.studies.refusals import InstanceMismatch
from repository.instances.header import InstanceHeader, identify, read_header_of
from repository.instances.part10 import file_meta
from repository.instances.refusals import MissingAttribute, TruncatedInstance
from repository.tiers.ports import BlobStore, Incoming
from workflows.gather_instances import Offer

log = logging.getLogger("pianku.dimse")
_STAGE: Final = 1 << 18
_HEAD: Final = 64 << 10
_LOOKED_THROUGH: Final = 64 << 20
"""Octets of a data set that are looked through for its identifiers, on each association."""


class StoreScp:
    """Takes instances from all associations of a receiver."""

    def __init__(self, intake: Intake, blobs: BlobStore) -> None:
        self._intake = intake
        self._blobs = blobs

    def __call__(self, association: Association, context: Context, command: Command) -> None:
        """Take the data set in and answer the C-STORE-RQ."""
        if not decode.has_dataset(command):
            association.respond(context, command, faults.CANNOT_UNDERSTAND)
            return
        try:
            study_uid = self._take(association, context, command)
        except Refusal as refusal:
            association.counts.refused += 1
            word = faults.status(refusal, Operation.STORE)
            log.info("instance refused", extra={"code": refusal.code, "status": f"{word:04X}"})
            association.respond(context, command, word, comment=faults.comment(refusal))
            return
        association.counts.stored += 1
        association.counts.studies[study_uid] = None
        association.respond(context, command, faults.SUCCESS)

    def _take(self, association: Association, context: Context, command: Command) -> str:
        """Return the study of the instance once it is durable."""
        reception = _Reception(association, context, command, self._blobs)
        try:
            reception.receive()
            offer = reception.offer()
            self._intake.store(offer, association.envelope)
            return offer.header.study_uid
        finally:
            reception.discard()


class _Reception:
    """One data set on its way in."""

    def __init__(
        self, association: Association, context: Context, command: Command, blobs: BlobStore
    ) -> None:
        self._association = association
        self._context = context
        self._sop_class = decode.text(command, 0x0002)
        self._sop_uid = decode.text(command, 0x1000)
        self._blobs = blobs
        self._incoming: Incoming | None = None
        self._refusal: Refusal | None = None
        self._head = b""
        self._meta_size = 0
        self._received = 0

    def receive(self) -> None:
        """Read all of the data set, whatever becomes of it; raises what refuses it."""
        wire, limits = self._association.wire, self._association.limits
        stage = self._association.stage(_STAGE)
        room = memoryview(stage)
        used = self._begin(room)
        for length in self._association.messages.fragments(self._context.id):
            self._received += length
            if self._received > limits.max_dataset:
                raise Interrupted(Event.EVT15)
            left = length
            while left:
                count = min(left, _STAGE - used)
                wire.copy_into(room[used : used + count])
                used += count
                left -= count
                if used == _STAGE:
                    self._flush(room)
                    used = 0
        self._flush(room[:used])
        if self._refusal is not None:
            raise self._refusal

    def offer(self) -> Offer:
        """Return the instance; raises the refusals of an unreadable or other one."""
        assert self._incoming is not None
        self._incoming.seal()
        header = self._header(self._incoming)
        if header.sop_uid != self._sop_uid or header.sop_class_uid != self._sop_class:
            raise InstanceMismatch("the data set is another instance than the request says")
        return Offer(self._incoming, header)

    def discard(self) -> None:
        """Let go of what is not kept."""
        if self._incoming is not None:
            self._incoming.discard()

    def _begin(self, room: memoryview) -> int:
        """Write preamble and File Meta Information into the stage; returns their size."""
        try:
            self._association.may("store", "C-STORE")
            self._sop_uid = dicom_uid(self._sop_uid)
            if dicom_uid(self._sop_class) != self._context.abstract_syntax:
                raise InstanceMismatch("the SOP class is not that of the presentation context")
            meta = file_meta(self._sop_class, self._sop_uid, self._context.transfer_syntax)
            self._incoming = self._blobs.incoming()
        except Refusal as refusal:
            # The data set is read all the same: the response comes after it.
            self._refusal = refusal
            return 0
        self._meta_size = len(meta)
        room[: len(meta)] = meta
        return len(meta)

    def _flush(self, octets: memoryview) -> None:
        if self._refusal is not None or self._incoming is None:
            return
        if not self._head:
            self._head = bytes(octets[self._meta_size : self._meta_size + _HEAD])
        try:
            self._incoming.write(octets)
        except Refusal as refusal:
            self._refusal = refusal

    def _header(self, incoming: Incoming) -> InstanceHeader:
        syntax = self._context.transfer_syntax
        try:
            return identify(self._head, syntax)
        except (TruncatedInstance, MissingAttribute):
            if self._received <= len(self._head):
                raise
        return read_header_of(incoming.read, incoming.size, most=_LOOKED_THROUGH)
