"""ITI-61 Register On-Demand Document Entry: metadata of documents made when they are asked for.

Implements ITI TF-2 3.61. Called by `endpoint.py` in a worker thread.
"""

from __future__ import annotations

from typing import Final

from adapters.guard.guard import AuditUnavailable, Guard
from adapters.soap.door import Answer, Call
from adapters.xds import decode, encode, names
from adapters.xds.faults import registry_error
from kernel.context import acting_as
from kernel.refusals import Forbidden, Refusal
from registry.access.values import Resource
from workflows.register_on_demand import RegisterOnDemand

TRANSACTION: Final = "ITI-61"


class RegisterOnDemandEntries:
    """Registers a submission of on-demand documents."""

    def __init__(self, register: RegisterOnDemand, guard: Guard) -> None:
        self._register = register
        self._guard = guard

    def __call__(self, call: Call) -> Answer:
        """Register it, or tell in the RegistryErrorList why not."""
        try:
            return self._registered(call)
        except (AuditUnavailable, Forbidden):
            raise  # what was registered must not be told and recorded as failed
        except Refusal as refusal:
            self._guard.record(call.subject, "register", "failed", TRANSACTION, detail=refusal.code)
            return Answer(
                encode.registry_response((registry_error(refusal),)), action=names.ITI_61_RESPONSE
            )

    def _registered(self, call: Call) -> Answer:
        submission = decode.register_request(call.body).submission
        key = self._register.patient_key(submission)
        resource = Resource("document", key)
        self._guard.check(call.subject, "register", resource, transaction=TRANSACTION)
        source = submission.submission_set.source_id
        with acting_as(self._guard.envelope(call.subject, TRANSACTION.lower(), source=source)):
            self._register(submission)
        self._guard.record(
            call.subject,
            "register",
            "success",
            TRANSACTION,
            patient_keys=(key,),
            document_ids=(submission.submission_set.unique_id,),
            count=len(submission.entries),
        )
        return Answer(encode.registry_response(), action=names.ITI_61_RESPONSE)
