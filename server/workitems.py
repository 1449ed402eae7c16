"""What speaks of workitems, put together (PS3.4 CC, PS3.18 11).

Design C (composition). Called by `server.dimse_door`, `server.background` and `server.web_door`.
"""

from __future__ import annotations

from datetime import timedelta

from adapters.dimse.association import Services
from adapters.dimse.contexts import Operation
from adapters.dimse.limits import Limits
from adapters.dimse.ups import UpsCreateScp, UpsGetScp, UpsSetScp
from adapters.dimse.ups_action import UpsActionScp
from adapters.dimse.ups_event_report import WorkitemReport
from adapters.dimse.ups_find import UpsFindScp
from projections.workitems.view import Workitems
from registry.workitems.values import Patience
from server.wiring import Installation
from workflows.identify_patient import PatientPolicy
from workflows.perform_workitems import PerformWorkitems
from workflows.report_workitems import WorkitemReporter, WorkitemReports


def workitems(here: Installation) -> PerformWorkitems:
    """Return what takes workitems."""
    policy = PatientPolicy(here.identity.assigning_authority)
    return PerformWorkitems(here.facts, here.keys.patient_keys, policy)


def workitem_services(here: Installation) -> Services:
    """Return the DIMSE services of workitems."""
    perform = workitems(here)
    return {
        (0x0020, Operation.UPS): UpsFindScp(Workitems(here.views)),
        (0x0110, Operation.UPS): UpsGetScp(perform),
        (0x0120, Operation.UPS): UpsSetScp(perform),
        (0x0130, Operation.UPS): UpsActionScp(perform),
        (0x0140, Operation.UPS): UpsCreateScp(perform),
    }


def workitem_reports(here: Installation) -> WorkitemReports:
    """Return what remembers how far each watcher was told."""
    told = here.settings.dimse
    patience = Patience(
        first=timedelta(seconds=told.retry_seconds),
        most=timedelta(seconds=told.longest_wait_seconds),
        give_up=timedelta(hours=told.give_up_hours),
    )
    return WorkitemReports(here.facts, Workitems(here.views), patience=patience)


def workitem_reporter(here: Installation, limits: Limits) -> WorkitemReporter:
    """Return what tells watchers beside the projector."""
    send = WorkitemReport(here.settings.dimse.ae_title, limits)
    return WorkitemReporter(workitem_reports(here), here.guard, send)
