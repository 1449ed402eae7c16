"""RAD-69 Retrieve Imaging Document Set: hand out instances in a transfer syntax the asker takes.

Implements RAD TF-2 4.69. Called by the SOAP door in a worker thread. What is taken as stored goes
from the store while it is sent; what is not is transcoded before, one by one, into the store's
incoming folder: the errors come first in the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from adapters.guard.guard import Guard
from adapters.soap.door import Answer, Call
from adapters.soap.exchange import Part
from adapters.xds import encode, names
from adapters.xds.encode import DocumentResponse
from adapters.xds.faults import registry_error
from adapters.xds.rad69_request import InstanceRequest, imaging_request
from adapters.xds.refusals import TransferSyntaxNotAvailable
from kernel.refusals import Forbidden, Refusal, Unavailable
from projections.storage_map.view import Location, StorageMap
from registry.access.values import Resource, Subject
from repository.instances.correcting import Changes
from repository.instances.refusals import NotRenderable
from repository.instances.transcoding import MAKEABLE, MAX_TRANSCODED, to_transfer_syntax
from repository.objects.refusals import DocumentUnknown, RepositoryUnknown
from repository.tiers.ports import BlobStore, Incoming
from workflows.retrieve_object import Corrections, OpenedFile, open_file, uncorrected

_DICOM: Final = "application/dicom"


@dataclass(frozen=True, slots=True)
class _Given:
    request: InstanceRequest
    location: Location
    part: Part


class _Parts:
    """Makes the parts of one answer; what is transcoded goes one after the other into one file."""

    def __init__(
        self, store: BlobStore, wanted: Sequence[str], corrections: Mapping[str, Changes]
    ) -> None:
        self._store = store
        self._wanted = wanted
        self._corrections = corrections
        self._makeable = [syntax for syntax in wanted if syntax in MAKEABLE]
        self._spool: Incoming | None = None

    def of(self, location: Location) -> Part:
        """Return an instance as a part; raises TransferSyntaxNotAvailable, ObjectMissing."""
        cid = f"{uuid4().hex}@pianku"
        size = self._store.size(location.key)
        file = open_file(self._store, location.key, size, self._corrections.get(location.sop_uid))
        if location.transfer_syntax in self._wanted:
            return Part(cid, location.key, file.size, head=file.head, rest=file.rest)
        made = self._transcoded(location, file)
        if self._spool is None:
            self._spool = self._store.incoming()
        offset = self._spool.size
        self._spool.write(made)
        return Part(cid, "", len(made), self._spool, offset)

    def discard(self) -> None:
        """Forget what was transcoded."""
        if self._spool is not None:
            self._spool.discard()

    def _transcoded(self, location: Location, file: OpenedFile) -> bytes:
        if self._makeable and file.size <= MAX_TRANSCODED:
            octets = file.read(0, file.size)
            for syntax in self._makeable:
                with suppress(NotRenderable):
                    return to_transfer_syntax(octets, syntax)
        told = ", ".join(one[:64] for one in self._wanted[:8]) or "none"
        raise TransferSyntaxNotAvailable(
            f"the instance {location.sop_uid} is not available in an asked transfer syntax "
            f"(asked: {told}; stored: {location.transfer_syntax})",
            object=location.sop_uid,
        )


class RetrieveImagingDocumentSet:
    """Hands out the instances of this archive that a manifest names."""

    def __init__(
        self,
        storage: StorageMap,
        store: BlobStore,
        guard: Guard,
        *,
        source_oids: Iterable[str],
        transaction: str = "RAD-69",
        corrections: Corrections = uncorrected,
    ) -> None:
        self._corrections = corrections
        self._storage = storage
        self._store = store
        self._guard = guard
        self._source_oids = frozenset(source_oids)
        """Retrieve Location UIDs that our manifests carry."""
        self._transaction = transaction

    def __call__(self, call: Call) -> Answer:
        """Return the instances asked for; each that cannot be given has its error."""
        asked = imaging_request(call.body)
        given: list[_Given] = []
        problems: list[Refusal] = list(asked.problems)
        failed: list[InstanceRequest] = []
        located = self._storage.locate_many(one.sop_uid for one in asked.instances)
        parts = _Parts(self._store, asked.transfer_syntaxes, self._corrections(list(located)))
        try:
            may: dict[str, bool] = {}
            for one in asked.instances:
                try:
                    location = self._located(one, located.get(one.sop_uid))
                    if not self._may(call.subject, location, may):
                        raise _unknown(one)  # to this caller it does not exist
                    given.append(_Given(one, location, parts.of(location)))
                except (Forbidden, Unavailable):
                    raise
                except Refusal as refusal:
                    problems.append(refusal)
                    failed.append(one)
            self._record(call.subject, given, failed, problems)
        except BaseException:
            parts.discard()
            raise
        return Answer(
            encode.retrieve_response(map(_response, given), map(registry_error, problems)),
            parts=tuple(one.part for one in given),
            mtom=True,
            action=f"{names.ITI_43}Response",
        )

    def _located(self, asked: InstanceRequest, found: Location | None) -> Location:
        if asked.repository_unique_id not in self._source_oids:
            raise RepositoryUnknown(
                f"{asked.repository_unique_id[:128]} is not this imaging source",
                object=asked.sop_uid[:128],
            )
        if (
            found is None
            or found.study_uid != asked.study_uid
            or found.series_uid != asked.series_uid
        ):
            raise _unknown(asked)
        return found

    def _may(self, subject: Subject, location: Location, may: dict[str, bool]) -> bool:
        """Tell whether the caller may have the study; asked, and recorded if not, once a study."""
        if location.study_uid not in may:
            resource = Resource("study", location.patient_key, location.study_uid)
            try:
                self._guard.check(subject, "retrieve", resource, transaction=self._transaction)
            except Forbidden:
                may[location.study_uid] = False
            else:
                may[location.study_uid] = True
        return may[location.study_uid]

    def _record(
        self,
        subject: Subject,
        given: Sequence[_Given],
        failed: Sequence[InstanceRequest],
        problems: Sequence[Refusal],
    ) -> None:
        """Record what goes out before it goes; successes and failures apart, as ITI-20 asks."""
        if given:
            self._guard.record(
                subject,
                "retrieve",
                "success",
                self._transaction,
                patient_keys=sorted({one.location.patient_key for one in given}),
                study_uids=sorted({one.location.study_uid for one in given}),
                count=len(given),
            )
        if problems:
            self._guard.record(
                subject,
                "retrieve",
                "failed",
                self._transaction,
                study_uids=sorted({one.study_uid[:64] for one in failed})[:100],
                count=len(problems),
                detail=problems[0].code,
            )


def _unknown(asked: InstanceRequest) -> DocumentUnknown:
    return DocumentUnknown(
        f"no instance {asked.sop_uid[:128]} lies in the series {asked.series_uid[:128]} of the "
        f"study {asked.study_uid[:128]}",
        object=asked.sop_uid[:128],
    )


def _response(one: _Given) -> DocumentResponse:
    return DocumentResponse(
        repository_unique_id=one.request.repository_unique_id,
        document_unique_id=one.request.sop_uid,
        mime_type=_DICOM,
        cid=one.part.cid,
        home_community_id=one.request.home_community_id,
    )
