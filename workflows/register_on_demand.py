"""Register on-demand documents: our own only if we can make them, those of others as they are.

Implements ITI TF-2 3.61.4.1.3 (ITI-61). Called by adapters/xds.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from kernel.identifiers import urn
from registry.documents.refusals import MetadataInvalid
from registry.documents.values import ON_DEMAND, Submission
from workflows.register_documents import RegisterDocuments, Registered


class RegisterOnDemand:
    """Registers submissions of on-demand documents. Thread safe."""

    def __init__(
        self, register: RegisterDocuments, *, repository_oid: str, mime_types: Iterable[str]
    ) -> None:
        self._register = register
        self._repository_oid = repository_oid
        self._mime_types = frozenset(mime_types)

    def __call__(self, submission: Submission) -> Registered:
        """Register `submission`; raises the refusals of `registry.documents`."""
        for entry in submission.entries:
            ours = entry.repository_unique_id == self._repository_oid
            on_demand = entry.object_type == ON_DEMAND  # else the registry says what is wrong
            if ours and on_demand and entry.mime_type not in self._mime_types:
                raise MetadataInvalid(
                    f"DocumentEntry.mimeType {entry.mime_type!r} is not what this repository makes "
                    f"on demand ({', '.join(sorted(self._mime_types))})",
                    attribute="mimeType",
                    object=urn(entry.entry_uuid),
                )
        return self._register.on_demand(submission)

    def patient_key(self, submission: Submission) -> UUID:
        """Return the key of the submission's patient."""
        return self._register.patient_key(submission)
