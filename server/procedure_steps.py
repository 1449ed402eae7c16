"""What speaks of procedure steps and availability, put together (PS3.4 F and R).

Design C (composition). Called by `server.dimse_door`, `server.background` and `server.web_door`.
"""

from __future__ import annotations

from datetime import timedelta

from adapters.dimse.association import Services
from adapters.dimse.contexts import Operation
from adapters.dimse.instance_availability import AvailabilityNotice, AvailabilityScp
from adapters.dimse.limits import Limits
from adapters.dimse.n_create import StepCreateScp
from adapters.dimse.n_get import StepGetScp
from adapters.dimse.n_set import StepSetScp
from adapters.portal.ports import StepRooms
from projections.availability.view import Availability
from projections.procedure_steps.view import ProcedureSteps
from registry.commitments.values import Retrying
from server.wiring import Installation
from workflows.account_for_steps import StepAccountant, StepAccounts
from workflows.identify_patient import PatientPolicy
from workflows.notify_availability import AvailabilityNotifier, ComposeNotice, NoteAvailability
from workflows.perform_procedure_steps import PerformProcedureSteps
from workflows.publish_study import Publishes


def step_services(here: Installation) -> Services:
    """Return the DIMSE-N services of procedure steps and of availability."""
    policy = PatientPolicy(here.identity.assigning_authority)
    steps = PerformProcedureSteps(here.facts, here.keys.patient_keys, policy)
    return {
        (0x0110, Operation.MPPS): StepGetScp(steps),
        (0x0120, Operation.MPPS): StepSetScp(steps),
        (0x0140, Operation.MPPS): StepCreateScp(steps),
        (0x0140, Operation.AVAILABILITY): AvailabilityScp(NoteAvailability(here.facts)),
    }


def step_rooms(here: Installation) -> StepRooms:
    """Return what the portal asks of procedure steps."""
    return StepRooms(
        ProcedureSteps(here.views), StepAccounts(here.storage), Availability(here.views)
    )


def step_accountant(here: Installation, publish: Publishes | None) -> StepAccountant:
    """Return what accounts for ended steps beside the projector."""
    rooms = step_rooms(here)
    return StepAccountant(here.facts, rooms.steps, rooms.accounts, here.studies, publish)


def availability_notifier(here: Installation, limits: Limits) -> AvailabilityNotifier:
    """Return what tells others of available instances beside the projector."""
    told = here.settings.dimse
    compose = ComposeNotice(here.studies, ProcedureSteps(here.views), ae_title=told.ae_title)
    return AvailabilityNotifier(
        here.facts,
        Availability(here.views),
        compose,
        here.guard,
        AvailabilityNotice(told.ae_title, limits),
        recipients=told.availability_recipients,
        retrying=Retrying(
            first=timedelta(seconds=told.retry_seconds),
            most=timedelta(seconds=told.longest_wait_seconds),
            give_up=timedelta(hours=told.give_up_hours),
        ),
    )
