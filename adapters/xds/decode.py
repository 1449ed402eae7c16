"""Message bodies -> values: submissions, retrievals; queries are in `stored_query.py`.

Implements ITI TF-2 3.41.4.1.2, 3.42.4.1.2, 3.43.4.1.2 and TF-3 4.2.1. Pure; called by the
transaction modules. Raises SoapFault for what is no valid message, refusals for bad metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from lxml import etree

from adapters.soap.faults import SoapFault
from adapters.xds import decode_objects, names
from adapters.xds.ebrim import EbrimObject, Ids
from adapters.xds.refusals import RetrieveRequestMalformed
from adapters.xds.validation import complaint
from registry.documents.refusals import MetadataInvalid
from registry.documents.values import Submission

_SUBMIT: Final = f"{{{names.LCM}}}SubmitObjectsRequest"
_PROVIDE: Final = f"{{{names.XDSB}}}ProvideAndRegisterDocumentSetRequest"
_DOCUMENT: Final = f"{{{names.XDSB}}}Document"
_RETRIEVE: Final = f"{{{names.XDSB}}}RetrieveDocumentSetRequest"
_LIST: Final = f"{{{names.RIM}}}RegistryObjectList"
_EXTRINSIC: Final = f"{{{names.RIM}}}ExtrinsicObject"
_PACKAGE: Final = f"{{{names.RIM}}}RegistryPackage"
_ASSOCIATION: Final = f"{{{names.RIM}}}Association"
_CLASSIFICATION: Final = f"{{{names.RIM}}}Classification"
_MAX_REQUESTS: Final = 1000
_OBJECT_REF: Final = f"{{{names.RIM}}}ObjectRef"


@dataclass(frozen=True, slots=True)
class DecodedSubmission:
    """A submission with the ids its sender used."""

    submission: Submission
    ids: Ids

    def entry_uuid(self, document_id: str) -> UUID | None:
        """Return the entryUUID of the DocumentEntry with this id as sent, None if there is none."""
        uuid = self.ids.referred(document_id)
        if uuid in {entry.entry_uuid for entry in self.submission.entries}:
            return uuid
        return None


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """One document that a retrieval asks for."""

    repository_unique_id: str
    document_unique_id: str
    home_community_id: str = ""


def register_request(body: etree._Element) -> DecodedSubmission:
    """Return the submission of an ITI-42 body."""
    _expect(body, _SUBMIT)
    return submission(body)


def provide_request(
    body: etree._Element,
) -> tuple[DecodedSubmission, list[tuple[str, etree._Element]]]:
    """Return the submission of an ITI-41 body and its Document elements by their ids."""
    _expect(body, _PROVIDE)
    children = list(body)
    if not children or children[0].tag != _SUBMIT:
        raise MetadataInvalid(
            "the request needs an lcm:SubmitObjectsRequest", attribute="SubmitObjectsRequest"
        )
    documents = []
    for child in children[1:]:
        if child.tag != _DOCUMENT or not child.get("id"):
            raise MetadataInvalid(
                "after the SubmitObjectsRequest only xds:Document with an id may come",
                attribute="Document",
            )
        documents.append((child.get("id", "").strip(), child))
    return submission(children[0]), documents


def retrieve_request(body: etree._Element) -> list[DocumentRequest]:
    """Return what an ITI-43 body asks for."""
    _expect(body, _RETRIEVE)
    wrong = complaint(body, "xds-b.xsd")
    if wrong:
        raise RetrieveRequestMalformed(wrong)
    if len(body) > _MAX_REQUESTS:
        raise SoapFault(f"more than {_MAX_REQUESTS} documents in one request", status=413)
    return [
        DocumentRequest(
            repository_unique_id=_child(request, "RepositoryUniqueId"),
            document_unique_id=_child(request, "DocumentUniqueId"),
            home_community_id=_child(request, "HomeCommunityId"),
        )
        for request in body
    ]


def submission(submit: etree._Element) -> DecodedSubmission:
    """Return the submission in an lcm:SubmitObjectsRequest."""
    wrong = complaint(submit, "lcm.xsd")
    if wrong:
        raise MetadataInvalid(wrong, attribute="SubmitObjectsRequest")
    listed = submit.find(_LIST)
    assert listed is not None
    things = [c for c in listed if c.tag not in {_OBJECT_REF, _CLASSIFICATION}]
    ids = Ids((c.get("id", "").strip() for c in things), iter(uuid4, None))
    nodes = _nodes_beside(listed, ids)
    entries, folders, associations, sets = [], [], [], []
    for child in things:
        if child.tag == _EXTRINSIC:
            entries.append(decode_objects.document_entry(EbrimObject(child, "DocumentEntry"), ids))
        elif child.tag == _ASSOCIATION:
            associations.append(decode_objects.association(EbrimObject(child, "Association"), ids))
        elif child.tag == _PACKAGE:
            package = EbrimObject(child, "RegistryPackage")
            kinds = {*package.nodes, *nodes.pop(ids.defined(package.id), ())}
            if kinds == {names.SUBMISSION_SET}:
                package.kind = "SubmissionSet"
                sets.append(decode_objects.submission_set(package, ids))
            elif kinds == {names.FOLDER}:
                package.kind = "Folder"
                folders.append(decode_objects.folder(package, ids))
            else:
                raise package.refusal(
                    "Classification", "must say whether it is a SubmissionSet or a Folder"
                )
        else:
            raise MetadataInvalid(
                f"a submission holds no {etree.QName(child).localname}", attribute="id"
            )
    for _ in nodes:
        raise MetadataInvalid(
            "a Classification stands beside an object it cannot classify",
            attribute="Classification",
        )
    if len(sets) != 1:
        raise MetadataInvalid(
            f"a submission needs exactly one SubmissionSet and has {len(sets)}",
            attribute="SubmissionSet",
        )
    return DecodedSubmission(
        Submission(
            submission_set=sets[0],
            entries=tuple(entries),
            folders=tuple(folders),
            associations=tuple(associations),
        ),
        ids,
    )


def _nodes_beside(listed: etree._Element, ids: Ids) -> dict[UUID | None, list[str]]:
    """Return the classificationNodes that stand beside their objects, by object."""
    found: dict[UUID | None, list[str]] = {}
    for child in listed.iterfind(_CLASSIFICATION):
        node = child.get("classificationNode", "").strip().lower()
        if not node:
            raise MetadataInvalid(
                "a Classification by a code must stand in the object it classifies",
                attribute="Classification",
            )
        if node in names.LIMITED_METADATA:
            raise MetadataInvalid(
                "limitedMetadata is not accepted by a registry", attribute="limitedMetadata"
            )
        classified = ids.referred(child.get("classifiedObject", "").strip())
        found.setdefault(classified, []).append(node)
    return found


def _expect(body: etree._Element, tag: str) -> None:
    if body.tag != tag:
        raise SoapFault(f"the Body must hold {tag.partition('}')[2]}")


def _child(element: etree._Element, name: str) -> str:
    return (element.findtext(f"{{{names.XDSB}}}{name}") or "").strip()
