"""Remove documents from our repository: nobody can retrieve them from then on.

Implements ITI TF-2 3.86.4.1.3 (ITI-86). The metadata stay; the octets are erased later by
`erase_removed.py`. Called by adapters/xds.
"""

from __future__ import annotations

from kernel.ledger.ports import Append, Ledger
from projections.document_index.held import Held, HeldDocuments
from projections.document_index.view import DocumentIndex
from repository.objects import commands
from repository.objects.refusals import DocumentNotRemovable, DocumentUnknown, RepositoryUnknown


class RemoveDocuments:
    """Removes documents, each for itself. Thread safe."""

    def __init__(
        self, facts: Ledger, held: HeldDocuments, index: DocumentIndex, *, repository_oid: str
    ) -> None:
        self._facts = facts
        self._held = held
        self._index = index
        self._repository_oid = repository_oid

    def find(self, unique_id: str, repository_unique_id: str) -> Held:
        """Return the document that is to be removed; raises `repository.objects` refusals."""
        if repository_unique_id != self._repository_oid:
            raise RepositoryUnknown(
                f"{repository_unique_id} is not this repository", object=unique_id
            )
        found = self._held.find(unique_id, repository_unique_id)
        if found is not None:
            return found
        located = self._index.locate_unique(unique_id, repository_unique_id)
        if located is not None and not located.hash:
            raise DocumentNotRemovable(
                f"{unique_id} is made when it is asked for: remove its metadata", object=unique_id
            )
        raise DocumentUnknown(f"no document {unique_id} lies in this repository", object=unique_id)

    def __call__(self, document: Held) -> None:
        """Remove a document that was found."""
        self._facts.append(
            Append(
                (
                    commands.remove(
                        document.object_sha256,
                        unique_id=document.unique_id,
                        repository_unique_id=document.repository_unique_id,
                        patient_key=document.patient_key,
                    ),
                )
            )
        )

    def settle(self) -> None:
        """Wait until nobody finds what was removed: who locates a document does not wait."""
        self._held.wait()
