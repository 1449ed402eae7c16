"""Remove metadata: look up what hangs together, decide on the streams, append; once more if moved.

Implements ITI TF-2 3.62.4.1.3 (ITI-62). Called by adapters/xds.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from kernel.identifiers import stream_id
from kernel.ledger.ports import Ledger, StreamMoved
from kernel.times import Clock, now
from projections.document_index.view import AssociationRow, DocumentIndex, Reading
from registry.documents import commands, removal
from registry.documents.commands import RegistryObject
from registry.documents.removal import Present


class RemoveMetadata:
    """Removes registry objects from the ledger of facts. Thread safe."""

    def __init__(self, facts: Ledger, index: DocumentIndex, *, clock: Clock = now) -> None:
        self._facts = facts
        self._index = index
        self._clock = clock

    def __call__(self, named: Iterable[UUID]) -> None:
        """Remove the named objects, all of them or none; raises `registry.documents` refusals."""
        asked = tuple(dict.fromkeys(named))
        try:
            self._remove(asked)
        except StreamMoved:
            # Something was registered beside them meanwhile: decide on what now stands there.
            self._remove(asked)
        # Who locates a document does not wait for the view: here it is waited for, once.
        with self._index.reading():
            pass

    def patients(self, named: Iterable[UUID]) -> tuple[UUID, ...]:
        """Return whose objects these are; what is not in the registry is nobody's."""
        asked = tuple(named)
        with self._index.reading() as look:
            keys = [
                *(row.patient_key for row in look.documents(entry_uuids=asked)),
                *(row.patient_key for row in look.submission_sets(entry_uuids=asked)),
                *(row.patient_key for row in look.folders(entry_uuids=asked)),
                *(row.patient_key for row in look.associations(entry_uuids=asked)),
            ]
        return tuple(dict.fromkeys(keys))

    def _remove(self, asked: tuple[UUID, ...]) -> None:
        self._facts.append(removal.remove(asked, self._present(asked), self._clock()))

    def _present(self, asked: tuple[UUID, ...]) -> Present:
        with self._index.reading() as look:
            ends = _ends(look.associations(entry_uuids=asked), set(asked))
            streams = _set_streams(look, (*asked, *ends))
        every = (*asked, *ends)
        objects = {uuid: self._state(uuid, streams.get(uuid, uuid)) for uuid in every}
        # The view is asked after the streams were read: what it lacks has moved one of them.
        with self._index.reading() as look:
            around = look.associations(entry_uuids=asked, sources=every, targets=every)
        return Present(objects, streams, {row.entry_uuid: row.association() for row in around})

    def _state(self, uuid: UUID, stream: UUID) -> RegistryObject:
        return self._facts.fold(stream, commands.initial(uuid), commands.evolve)[0]


def _ends(around: Iterable[AssociationRow], asked: set[UUID]) -> list[UUID]:
    """Return the objects that stay and lose one of the associations that go."""
    going = [row for row in around if row.entry_uuid in asked]
    ends = dict.fromkeys(end for row in going for end in (row.source, row.target))
    return [end for end in ends if end not in asked]


def _set_streams(look: Reading, uuids: Iterable[UUID]) -> dict[UUID, UUID]:
    return {
        row.entry_uuid: stream_id("submission-set", row.submission_set().unique_id)
        for row in look.submission_sets(entry_uuids=uuids)
    }
