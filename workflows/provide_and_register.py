"""Provide and register: the octets become durable, then one append records all of it.

Implements ITI TF-2 3.41.4.1.3 (ITI-41) and RAD TF-3 4.68 (RAD-68).
Called by adapters/xds and, in process, by everything that files a document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec

from kernel.identifiers import urn
from kernel.ledger.ports import StreamAppend
from registry.documents.values import DocumentEntry, Submission
from repository.objects import commands as objects
from repository.objects.refusals import ContentMissing, MetadataMissing
from repository.tiers.ports import Incoming
from workflows.register_documents import RegisterDocuments, Registered


class ProvideAndRegister:
    """Stores the documents of a submission and registers it, or does neither. Thread safe."""

    def __init__(self, register: RegisterDocuments, *, repository_oid: str, tier: str) -> None:
        self.repository_oid = repository_oid
        self._register = register
        self._tier = tier

    def __call__(self, submission: Submission, documents: Mapping[UUID, Incoming]) -> Registered:
        """File `documents` (entryUUID -> octets taken in with SHA-1) under their metadata.

        The metadata need no hash, size or repositoryUniqueId; given ones are checked. The
        octets are let go of in any case: what was kept stays, the rest is forgotten.
        """
        try:
            _check_complete(submission, documents)
            for content in documents.values():
                content.seal()
            whole = msgspec.structs.replace(
                submission,
                entries=tuple(
                    self._described(entry, documents[entry.entry_uuid])
                    for entry in submission.entries
                ),
            )
            keys = {uuid: content.sha256 for uuid, content in documents.items()}
            return self._register.with_objects(whole, keys, lambda: self._keep(documents))
        finally:
            for content in documents.values():
                content.discard()

    def _described(self, entry: DocumentEntry, content: Incoming) -> DocumentEntry:
        objects.check_content(
            content, unique_id=entry.unique_id, promised_hash=entry.hash, promised_size=entry.size
        )
        return msgspec.structs.replace(
            entry, hash=content.sha1, size=content.size, repository_unique_id=self.repository_oid
        )

    def _keep(self, documents: Mapping[UUID, Incoming]) -> Iterable[StreamAppend]:
        stored: dict[str, StreamAppend] = {}
        for content in documents.values():
            stored[content.keep()] = objects.store(content, tier=self._tier)
        return stored.values()


def _check_complete(submission: Submission, documents: Mapping[UUID, Incoming]) -> None:
    described = {entry.entry_uuid: entry for entry in submission.entries}
    for uuid, entry in described.items():
        if uuid not in documents:
            raise ContentMissing(
                f"the document {entry.unique_id} was described and not sent",
                object=urn(uuid),
                unique_id=entry.unique_id,
            )
    for uuid in documents:
        if uuid not in described:
            raise MetadataMissing(
                f"the document {urn(uuid)} was sent without metadata", object=urn(uuid)
            )
