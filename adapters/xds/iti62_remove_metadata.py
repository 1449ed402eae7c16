"""ITI-62 Remove Metadata: registry objects go together with all that hangs on them.

Implements ITI TF-2 3.62. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from adapters.guard.guard import AuditUnavailable, Guard
from adapters.soap.door import Answer, Call
from adapters.xds import encode
from adapters.xds.decode_removal import remove_objects_request
from adapters.xds.faults import registry_error
from kernel.context import acting_as
from kernel.identifiers import urn
from kernel.refusals import Forbidden, Refusal
from registry.access.values import Resource
from workflows.remove_metadata import RemoveMetadata

TRANSACTION: Final = "ITI-62"


class RemoveMetadataSet:
    """Removes registry objects, all that are named or none."""

    def __init__(self, remove: RemoveMetadata, guard: Guard) -> None:
        self._remove = remove
        self._guard = guard

    def __call__(self, call: Call) -> Answer:
        """Remove them, or tell in the RegistryErrorList why not."""
        try:
            named = remove_objects_request(call.body)
            patients = self._remove.patients(named)
            for patient_key in patients:
                resource = Resource("document", patient_key)
                self._guard.check(call.subject, "remove", resource, transaction=TRANSACTION)
            with acting_as(self._guard.envelope(call.subject, TRANSACTION.lower())):
                self._remove(named)
            self._record(call, named, patients)
            return Answer(encode.registry_response())
        except (AuditUnavailable, Forbidden):
            raise  # what was removed must not be told and recorded as failed
        except Refusal as refusal:
            self._guard.record(call.subject, "remove", "failed", TRANSACTION, detail=refusal.code)
            return Answer(encode.registry_response((registry_error(refusal),)))

    def _record(self, call: Call, named: tuple[UUID, ...], patients: tuple[UUID, ...]) -> None:
        self._guard.record(
            call.subject,
            "remove",
            "success",
            TRANSACTION,
            patient_keys=patients,
            document_ids=map(urn, named),
            count=len(named),
        )
