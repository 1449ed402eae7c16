"""Update metadata: load every version an update touches, decide, append; again if moved.

Implements ITI TF-2 3.57.4.1.3 (ITI-57) and 3.92.4.1.3 (ITI-92). Called by adapters/xds.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from kernel.identifiers import urn
from kernel.ledger.ports import Append, ClaimTaken, Ledger, StreamMoved
from kernel.times import Clock, now
from projections.document_index.view import DocumentIndex
from registry.documents import commands, update
from registry.documents.commands import Kind, Known, RegistryObject
from registry.documents.refusals import VersionMismatch
from registry.documents.update import AskedUpdate
from registry.documents.update_terms import UPDATE, Terms
from registry.documents.updates import MetadataUpdate
from workflows.register_documents import RegisterDocuments, Registered

_TRIES: Final = 8
_PAUSE: Final = 0.02


class UpdateDocuments:
    """Updates metadata in the ledger of facts. Thread safe."""

    def __init__(
        self,
        facts: Ledger,
        index: DocumentIndex,
        register: RegisterDocuments,
        *,
        clock: Clock = now,
    ) -> None:
        self._facts = facts
        self._index = index
        self._register = register
        self._clock = clock

    def __call__(self, asked: MetadataUpdate, terms: Terms = UPDATE) -> Registered:
        """Do the whole update or none of it; raises the refusals of `registry.documents`."""
        patient_key = self._register.patient_key(asked.submission)
        position = self._append(AskedUpdate(asked, patient_key, self._clock(), terms))
        # Who locates a document does not wait for the view: here it is waited for, once.
        with self._index.reading():
            pass
        return Registered(patient_key, position)

    def touched(self, asked: MetadataUpdate) -> tuple[UUID, ...]:
        """Return the patients whose objects an update is about, for the question who may."""
        objects = self._reached(self._load(asked.outside()))
        keys = [held.patient_key for held in objects.values() if held.patient_key is not None]
        return tuple(dict.fromkeys((self._register.patient_key(asked.submission), *keys)))

    def _append(self, whole: AskedUpdate) -> int:
        for tried in range(_TRIES - 1):
            try:
                return self._facts.append(self._decide(whole))
            except (StreamMoved, ClaimTaken):
                # Somebody was faster: decide once more on what now stands there.
                time.sleep(random.uniform(0, _PAUSE * tried))  # noqa: S311 - spreads writers
        try:
            return self._facts.append(self._decide(whole))
        except StreamMoved as moved:
            raise VersionMismatch(
                f"{urn(moved.stream)} was updated by others meanwhile", object=urn(moved.stream)
            ) from moved

    def _decide(self, asked: AskedUpdate) -> Append:
        submission = asked.update.submission
        objects = self._load(asked.update.outside() | commands.new_objects(submission))
        objects = self._reached(objects)
        # The view is asked after the streams were read: what it lacks has moved one of them.
        objects |= self._load(self._associations(objects) - objects.keys())
        claims = self._facts.claims(
            commands.UNIQUE_ID_CLAIM, (submission.submission_set.unique_id,)
        )
        past = self._facts.load(asked.patient_key)
        known = Known(
            commands.patient_known(past),
            self._reached(objects),
            claims,
            commands.patient_subsumed(past),
        )
        return update.update(asked, known, self._register.rules)

    def _associations(self, objects: dict[UUID, RegistryObject]) -> set[UUID]:
        """Return every association that starts or ends at one of these documents and folders."""
        ends = [u for u, o in objects.items() if o.kind in {Kind.DOCUMENT, Kind.FOLDER}]
        with self._index.reading() as look:
            return {row.entry_uuid for row in look.associations(sources=ends, targets=ends)}

    def _reached(self, objects: dict[UUID, RegistryObject]) -> dict[UUID, RegistryObject]:
        found = dict(objects)
        while more := update.wanted(found):
            found |= self._load(more)
        return found

    def _load(self, uuids: Iterable[UUID]) -> dict[UUID, RegistryObject]:
        return self._register.load(uuids)
