"""The HTTP door put together: portal, DICOMweb, XDS, the viewer (design A10, paths).

Design C (composition). Called by `server.roles` for each web process.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, cast
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.types import ASGIApp

from adapters.dicomweb.archive import Archive, CommitmentRooms, WorklistRooms
from adapters.dicomweb.endpoint import DicomWeb
from adapters.dicomweb.kept_pictures import FOLDER, KeptPictures
from adapters.dicomweb.wado_uri import WadoUri
from adapters.fhir.endpoint import FhirR4
from adapters.fhir.interaction import PREFIX as FHIR
from adapters.fhir.interaction import FhirRooms
from adapters.guard.sign_in import SignIn
from adapters.hl7v3.endpoint import Hl7V3Parts
from adapters.hl7v3.endpoint import build_router as build_hl7v3
from adapters.hl7v3.open_queries import OpenQueries
from adapters.portal.endpoint import build_router as build_portal
from adapters.portal.ports import Portal
from adapters.soap.replies import Replies
from adapters.xds.endpoint import XdsParts
from adapters.xds.endpoint import build_router as build_xds
from adapters.xds.rad68_provide_and_register_imaging import ExamineManifests, ManifestChecks
from projections.commitments.view import Commitments
from projections.permissions.policy import clause
from projections.workitems.view import Workitems
from repository.instances.stored import StoredInstances
from server.broker import broker
from server.communities import communities, replies
from server.dimse_door import storage_commitment
from server.http import Doors, build_app, spa_folder
from server.identity import domains_of
from server.procedure_steps import step_rooms
from server.wiring import Installation
from server.workitems import workitem_reports, workitems
from workflows.receive_identity_feed import IdentityFeed

_WAITING_THREADS: Final = 24


def web_app(here: Installation) -> ASGIApp:
    """Return the HTTP application of one process."""
    elsewhere = replies(here)
    return build_app(
        Doors(
            routers=(_portal(here), _xds(here, elsewhere), _hl7v3(here, elsewhere)),
            mounts=(*_dicomweb(here), (FHIR, _fhir(here))),
            health=here.health,
            spa=spa_folder(),
            allowed_origins=here.settings.http.allowed_origins,
        )
    )


def described_routers() -> Sequence[APIRouter]:
    """Return the routers whose API `schemas/openapi` describes, without an installation."""
    # The portal's routes touch their rooms only when a request comes.
    return (build_portal(cast("Portal", None)),)


def _dicomweb(here: Installation) -> Sequence[tuple[str, ASGIApp]]:
    threads = ThreadPoolExecutor(_WAITING_THREADS, "dicomweb")
    renderers = ThreadPoolExecutor(max(2, os.cpu_count() or 2), "render")
    here.on_close(threads.shutdown)
    here.on_close(renderers.shutdown)
    archive = Archive(
        blobs=here.blobs,
        stored=StoredInstances(here.blobs),
        index=here.studies,
        searches=here.searches,
        storage=here.storage,
        intake=here.intake,
        guard=here.guard,
        clause=clause,
        threads=threads,
        renderers=renderers,
        pictures=KeptPictures(here.settings.directory / FOLDER),
        worklist=WorklistRooms(workitems(here), Workitems(here.views), workitem_reports(here)),
        commitments=CommitmentRooms(storage_commitment(here), Commitments(here.views)),
    )
    return ("/dicom-web", DicomWeb(archive)), ("/wado", WadoUri(archive))


def _fhir(here: Installation) -> ASGIApp:
    threads = ThreadPoolExecutor(_WAITING_THREADS, "fhir")
    here.on_close(threads.shutdown)
    domains = domains_of(here.settings, here.identity)
    return FhirR4(
        FhirRooms(
            guard=here.guard,
            register=here.register,
            provide=here.provide,
            generate=here.generate_on_demand,
            documents=here.documents,
            patients=here.patients,
            studies=here.studies,
            blobs=here.blobs,
            patient_keys=here.keys.patient_keys,
            clause=clause,
            repository_oid=here.identity.repository_oid,
            source_oid=here.identity.source_oid,
            authorities=(domains.affinity.oid, *(one.oid for one in domains.others)),
            zone=ZoneInfo(here.settings.timezone),
        ),
        threads,
    )


def _portal(here: Installation) -> APIRouter:
    return build_portal(
        Portal(
            guard=here.guard,
            sign_in=SignIn(here.guard),
            administration=here.administration,
            studies=here.studies,
            corrections=here.corrections,
            documents=here.documents,
            patients=here.patients,
            audit=here.audit,
            blobs=here.blobs,
            zone=ZoneInfo(here.settings.timezone),
            steps=step_rooms(here),
        )
    )


def _hl7v3(here: Installation, elsewhere: Replies | None) -> APIRouter:
    domains = domains_of(here.settings, here.identity)
    return build_hl7v3(
        Hl7V3Parts(
            guard=here.guard,
            feed=IdentityFeed(here.facts, here.keys.patient_keys, domains.affinity.oid),
            cross_references=here.patients,
            persons=here.patients,
            open_queries=_open_queries(here),
            domains=domains,
            device=here.identity.source_oid,
            store=here.blobs,
            replies=elsewhere,
        )
    )


def _open_queries(here: Installation) -> OpenQueries:
    dsn = here.settings.dsn()
    if dsn is None:
        made = OpenQueries.sqlite(str(here.settings.directory / "open-queries.sqlite"))
    else:
        made = OpenQueries.postgres(dsn, here.settings.ledger.schema)
    here.on_close(made.close)
    made.create()
    return made


def _xds(here: Installation, elsewhere: Replies | None) -> APIRouter:
    return build_xds(
        XdsParts(
            guard=here.guard,
            register=here.register,
            provide=here.provide,
            index=here.documents,
            store=here.blobs,
            patient_keys=here.keys.patient_keys,
            register_on_demand=here.register_on_demand,
            generate_on_demand=here.generate_on_demand,
            remove_metadata=here.remove_metadata,
            remove_documents=here.remove_documents,
            update=here.update,
            storage=here.storage,
            corrections=here.studies.corrections,
            manifests=ExamineManifests(ManifestChecks(here.settings.manifest.checks), here.studies),
            broker=broker(here),
            communities=communities(here),
            replies=elsewhere,
        )
    )
