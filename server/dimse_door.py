"""The DICOM door put together, and what speaks DIMSE beside the projector (PS3.7, PS3.8).

Design C (composition), A10 (one port). Called by `server.roles` for a dimse process and by
`server.background`.
"""

from __future__ import annotations

import socket
from datetime import timedelta

from adapters.dimse.endpoint import DimseServer
from adapters.dimse.limits import Limits
from adapters.dimse.n_event_report import CommitmentReport
from projections.commitments.view import Commitments
from projections.worklist.view import Worklist
from registry.commitments.values import Retrying
from server.dicom_tls import OutgoingTls, acceptor
from server.procedure_steps import step_services
from server.wiring import Installation
from server.workitems import workitem_services
from workflows.commit_to_storage import StorageCommitment
from workflows.place_orders import PlaceOrders
from workflows.report_commitments import CommitmentReporter


def dimse_server(
    here: Installation, listener: socket.socket, secured: socket.socket | None = None
) -> DimseServer:
    """Return the server on listening sockets, which other receivers may share."""
    told = here.settings.dimse
    return DimseServer(
        ae_title=told.ae_title,
        listener=listener,
        intake=here.intake,
        study_index=here.searches,
        storage_map=here.storage,
        blobs=here.blobs,
        corrections=here.studies.corrections,
        guard=here.guard,
        commits=storage_commitment(here),
        worklist=Worklist(here.views),
        more={**step_services(here), **workitem_services(here)},
        limits=limits_of(here),
        secured=None if secured is None else (secured, acceptor(told)),
    )


def limits_of(here: Installation) -> Limits:
    """Return the bounds of associations, and how ours are made secure."""
    told = here.settings.dimse
    return Limits(
        receivers=told.receivers,
        places=here.settings.directory / "places",
        max_associations=told.max_associations,
        max_pdu=told.max_pdu,
        max_dataset=told.max_instance_mib << 20,
        relational_queries=told.relational_queries,
        artim_seconds=told.artim_seconds,
        idle_seconds=told.idle_seconds,
        private_sop_classes=told.private_sop_classes,
        transfer_syntaxes=told.private_transfer_syntaxes,
        original_ae_title=told.original_ae_title,
        secure=OutgoingTls(here.guard, told),
    )


def storage_commitment(here: Installation) -> StorageCommitment:
    """Return what takes responsibility for stored instances."""
    told = here.settings.dimse
    retrying = Retrying(
        first=timedelta(seconds=told.retry_seconds),
        most=timedelta(seconds=told.longest_wait_seconds),
        give_up=timedelta(hours=told.give_up_hours),
    )
    queue = Commitments(here.views)
    return StorageCommitment(here.facts, queue, here.storage, here.blobs, retrying=retrying)


def place_orders(here: Installation) -> PlaceOrders:
    """Return what takes exam orders."""
    return PlaceOrders(here.facts, here.keys.patient_keys)


def commitment_reporter(here: Installation) -> CommitmentReporter:
    """Return what reports commitments beside the projector."""
    report = CommitmentReport(here.settings.dimse.ae_title, limits_of(here))
    return CommitmentReporter(storage_commitment(here), here.guard, report)
