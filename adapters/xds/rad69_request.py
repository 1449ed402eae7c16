"""What a Retrieve Imaging Document Set request asks for, instance by instance.

Implements RAD TF-2 4.69.4.1.2 (message semantics). Pure; called by
`rad69_retrieve_imaging_document_set` and by the gateway that passes such requests on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from adapters.soap.faults import SoapFault
from adapters.xds.refusals import ImagingRequestIncomplete
from kernel.refusals import Refusal

XDSI: Final = "urn:ihe:rad:xdsi-b:2009"
REQUEST: Final = f"{{{XDSI}}}RetrieveImagingDocumentSetRequest"
_MOST: Final = 20_000
"""Instances of one request; the study of a long cardiac CT has some 10 000."""


@dataclass(frozen=True, slots=True)
class InstanceRequest:
    """One instance that is asked for."""

    study_uid: str
    series_uid: str
    sop_uid: str
    repository_unique_id: str
    home_community_id: str = ""


@dataclass(frozen=True, slots=True)
class ImagingRequest:
    """A whole request: its instances, the transfer syntaxes taken, what it lacks."""

    instances: Sequence[InstanceRequest]
    transfer_syntaxes: tuple[str, ...]
    problems: Sequence[Refusal]


def imaging_request(body: etree._Element) -> ImagingRequest:
    """Return what the body of RAD-69 asks for; raises SoapFault when it is another message."""
    if body.tag != REQUEST:
        raise SoapFault("the Body must hold RetrieveImagingDocumentSetRequest")
    problems: list[Refusal] = []
    found: dict[InstanceRequest, None] = {}
    for study in _named(body, "StudyRequest"):
        for series in _named(study, "SeriesRequest"):
            uids = (_uid(study, "studyInstanceUID"), _uid(series, "seriesInstanceUID"))
            lacking = _lacking(uids)
            if lacking is not None:
                problems.append(lacking)
                continue
            for document in _named(series, "DocumentRequest"):
                found[_instance(document, *uids)] = None
    if not found and not problems:
        problems.append(
            ImagingRequestIncomplete("the request names no instance", attribute="DocumentRequest")
        )
    if len(found) > _MOST:
        raise SoapFault(f"more than {_MOST} instances in one request", status=413)
    syntaxes = (
        (one.text or "").strip()
        for listed in _named(body, "TransferSyntaxUIDList")
        for one in _named(listed, "TransferSyntaxUID")
    )
    return ImagingRequest(tuple(found), tuple(filter(None, syntaxes)), problems)


def _lacking(uids: tuple[str, str]) -> Refusal | None:
    for uid, name in zip(uids, ("studyInstanceUID", "seriesInstanceUID"), strict=True):
        if not uid:
            return ImagingRequestIncomplete(f"{name} is absent or empty", attribute=name)
    return None


def _instance(document: etree._Element, study_uid: str, series_uid: str) -> InstanceRequest:
    told = {
        etree.QName(child).localname: (child.text or "").strip() for child in _elements(document)
    }
    return InstanceRequest(
        study_uid,
        series_uid,
        told.get("DocumentUniqueId", ""),
        told.get("RepositoryUniqueId", ""),
        told.get("HomeCommunityId", ""),
    )


def _uid(element: etree._Element, name: str) -> str:
    return (element.get(name) or "").strip()


def _named(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    # By local name: senders disagree on the namespace of DocumentRequest.
    return (child for child in _elements(parent) if etree.QName(child).localname == name)


def _elements(parent: etree._Element) -> Iterator[etree._Element]:
    return parent.iterchildren(tag=etree.Element)
