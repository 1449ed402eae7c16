"""What runs beside the projector: publishing studies, sealing ledgers, telling subscribers.

Design A3 (seals), RAD TF-2 4.68 (manifests). Called by `server.roles` for the projector role.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from adapters.dicomweb.kept_pictures import FOLDER, ErasingWithPictures, KeptPictures
from kernel.ledger.seals import Sealer
from server.broker import delivery
from server.dimse_door import commitment_reporter, limits_of
from server.pix_consumers import pix_work
from server.procedure_steps import availability_notifier, step_accountant
from server.wiring import Installation
from server.workitems import workitem_reporter
from workflows.describe_manifest import ManifestPolicy
from workflows.erase_removed import EraseRemoved
from workflows.identify_patient import PatientPolicy
from workflows.publish_study import PublishStudy, StudyPublisher

_SEAL_LOOK_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 5.0
log = logging.getLogger("pianku.background")

Work = Callable[[threading.Event], None]
"""Runs until its event is set."""


def background_work(here: Installation) -> Sequence[tuple[str, Work]]:
    """Return what is to run, by name."""
    work: list[tuple[str, Work]] = [("seal", _steady(lambda stopping: _seal(here, stopping)))]
    work.append(("notify", _steady(delivery(here).run)))
    work.append(("commit", _steady(commitment_reporter(here).run)))
    work.append(("availability", _steady(availability_notifier(here, limits_of(here)).run)))
    work.append(("workitems", _steady(workitem_reporter(here, limits_of(here)).run)))
    work += [(name, _steady(tell)) for name, tell in pix_work(here)]
    publish = _publish(here) if here.settings.study.publish else None
    work.append(("steps", _steady(step_accountant(here, publish).run)))
    if publish is not None:
        publisher = StudyPublisher(
            here.studies, publish, quiet_seconds=here.settings.study.quiet_seconds
        )
        work.append(("publish", _steady(publisher.run)))
    if here.settings.documents.erase_removed:
        work.append(("erase", _steady(_eraser(here).run)))
    return work


def _steady(work: Work) -> Work:
    """Have `work` begin again after whatever ends it early: a database or disk that was away."""

    def run(stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                work(stopping)
            except Exception:
                log.exception("background work begins again")
                stopping.wait(_AGAIN_SECONDS)

    return run


def _publish(here: Installation) -> PublishStudy:
    identity = here.identity
    return PublishStudy(
        here.facts,
        here.blobs,
        here.studies,
        here.register,
        patients=PatientPolicy(identity.assigning_authority),
        policy=ManifestPolicy(
            repository_oid=identity.repository_oid,
            source_oid=identity.source_oid,
            accession_authority=identity.assigning_authority,
            retrieve_ae_title=here.settings.dimse.ae_title,
            code_sets=here.rules.code_sets,
            described=here.settings.manifest.flavour == "mado",
            retrieve_url=here.settings.manifest.retrieve_url.rstrip("/"),
            institution=here.settings.domain.institution,
            zone=ZoneInfo(here.settings.timezone),
        ),
    )


def _eraser(here: Installation) -> EraseRemoved:
    after = timedelta(hours=here.settings.documents.erase_after_hours)
    blobs = ErasingWithPictures(here.blobs, KeptPictures(here.settings.directory / FOLDER))
    return EraseRemoved(here.facts, blobs, here.held, here.storage.uses, after=after)


def _seal(here: Installation, stopping: threading.Event) -> None:
    told = here.settings.ledger
    sealers = [
        Sealer(
            ledger,
            here.keys.signer,
            here.seals_directory,
            every_events=told.seal_every_events,
            every_seconds=told.seal_every_seconds,
        )
        for ledger in here.ledgers.values()
    ]
    while not stopping.wait(_SEAL_LOOK_SECONDS):
        for sealer in sealers:
            sealer.seal_if_due()
