"""The examination list and one examination with its series.

The contract of design A10. A search travels in the body: no personal datum stands in a URL.
Called by viewer-app; answered from `projections/study_index`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from fastapi import APIRouter, Request

from adapters.portal import encode
from adapters.portal.decode import StudySearch
from adapters.portal.faults import PROBLEMS, PortalRoute
from adapters.portal.ports import Portal
from kernel.identifiers import dicom_uid
from kernel.refusals import NotFound
from projections.permissions.policy import clause
from projections.study_index.view import InstanceRow, StudyFilters
from registry.access.values import Resource

_SORT: Final = {
    "study_datetime": "study_date",
    "patient_name": "name",
    "received_at": "arrival",
    "modality": "modalities",
}


def routes(portal: Portal) -> APIRouter:
    """Return the routes of studies."""
    router = APIRouter(route_class=PortalRoute, responses=PROBLEMS, tags=["studies"])

    @router.post("/studies/search")
    def search_studies(search: StudySearch, request: Request) -> encode.StudyPage:
        """Search examinations; the count is of all that the caller may see."""
        with portal.caller(request) as subject:
            transaction = "portal.search"
            portal.guard.check(subject, "query", Resource("study"), transaction=transaction)
            first, last = search.days(portal.clock().astimezone(portal.zone).date())
            sort = _SORT[search.sort]
            total, rows = portal.studies.search_studies(
                StudyFilters(
                    name=search.name or "",
                    patient_id=search.patient_id or "",
                    accession=search.accession_number or "",
                    modalities=tuple(search.modalities),
                    date_from=first,
                    date_to=last,
                ),
                policy=clause(subject, "query", "study"),
                sort=f"-{sort}" if search.descending else sort,
                offset=search.offset,
                limit=search.limit,
            )
            portal.guard.record(
                subject,
                "query",
                "success",
                transaction,
                patient_keys=[row.patient_key for row in rows],
                count=total,
                detail=search.criteria(),
            )
            items = [encode.study_row(row, portal.zone) for row in rows]
            return encode.StudyPage(total=total, items=items)

    @router.get("/studies/{study_uid}")
    def read_study(study_uid: str, request: Request) -> encode.StudyDetail:
        """Tell one examination with its series."""
        with portal.caller(request) as subject:
            uid, transaction = dicom_uid(study_uid), "portal.study"
            portal.guard.check(
                subject, "view", Resource("study", study_uid=uid), transaction=transaction
            )
            row = portal.studies.study(uid)
            if row is None:
                raise NotFound("no such study")
            resource = Resource("study", row.patient_key, uid)
            portal.guard.check(subject, "view", resource, transaction=transaction)
            by_series: dict[str, list[InstanceRow]] = defaultdict(list)
            for instance in portal.studies.instances_of(uid):
                by_series[instance.series_uid].append(instance)
            series = [
                encode.series_row(one, by_series[one.series_uid])
                for one in portal.studies.series_of(uid)
            ]
            portal.guard.record(
                subject,
                "view",
                "success",
                transaction,
                patient_keys=[row.patient_key],
                study_uids=[uid],
                count=len(series),
            )
            return encode.StudyDetail(study=encode.study_row(row, portal.zone), series=series)

    return router
