"""Bodies of ITI-57 and ITI-92 -> the operations of a metadata update.

Implements ITI TF-2 3.57.4.1.2 and 3.92.4.1.2. Pure; called by the two transactions. Raises
SoapFault for what is no valid message, refusals for bad metadata.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from lxml import etree

from adapters.xds import decode, names
from adapters.xds.ebrim import EbrimObject, Ids
from kernel.identifiers import urn
from registry.documents.refusals import MetadataInvalid, ReferenceUnresolved, UpdateNotUnderstood
from registry.documents.updates import (
    ASSOCIATION_PROPAGATION,
    PREVIOUS_VERSION,
    MetadataUpdate,
    Revision,
    StatusChange,
    SubmittedAssociation,
)
from registry.documents.values import Association, AssociationType, Status, Submission

_LIST: Final = f"{{{names.RIM}}}RegistryObjectList"
_ASSOCIATION: Final = f"{{{names.RIM}}}Association"
_TRIGGERS: Final = frozenset({names.UPDATE_AVAILABILITY_STATUS, names.SUBMIT_ASSOCIATION})
_STATUSES: Final = {f"{names.STATUS}{status}": status for status in Status}


def update_request(body: etree._Element) -> MetadataUpdate:
    """Return what an ITI-57 or ITI-92 body asks."""
    triggers = _take_triggers(body)
    decoded = decode.register_request(body)
    statuses, submitted = [], []
    for element in triggers:
        read = EbrimObject(element, "Association")
        source, target = (
            _end(read, "sourceObject", decoded.ids),
            _end(read, "targetObject", decoded.ids),
        )
        if _type(element) == names.SUBMIT_ASSOCIATION:
            submitted.append(SubmittedAssociation(source=source, target=target))
        else:
            statuses.append(_status_change(read, source, target))
    return MetadataUpdate(
        submission=decoded.submission,
        revisions=tuple(_revisions(decoded.submission)),
        status_changes=tuple(statuses),
        submitted=tuple(submitted),
    )


def _status_change(read: EbrimObject, source: UUID, target: UUID) -> StatusChange:
    original, new = read.many("OriginalStatus"), read.many("NewStatus")
    for slot in read.rest():
        if not slot.name.startswith("urn:"):
            raise UpdateNotUnderstood(
                f"a change of status has no slot {slot.name[:80]}", object=urn(target)
            )
    return StatusChange(
        source=source, target=target, original=_one_status(original), new=_one_status(new)
    )


def _one_status(values: tuple[str, ...]) -> Status | None:
    return _STATUSES.get(values[0]) if len(values) == 1 else None


def _take_triggers(body: etree._Element) -> list[etree._Element]:
    """Take the associations out of the body that only ask for something and are not kept."""
    listed = body.find(_LIST)
    if listed is None:
        return []
    triggers = [child for child in listed.iterfind(_ASSOCIATION) if _type(child) in _TRIGGERS]
    for trigger in triggers:
        listed.remove(trigger)
    return triggers


def _type(association: etree._Element) -> str:
    return association.get("associationType", "").strip()


def _end(read: EbrimObject, attribute: str, ids: Ids) -> UUID:
    text = read.element.get(attribute, "").strip()
    end = ids.referred(text)
    if end is None:
        raise ReferenceUnresolved(
            f"Association {read.id}: {attribute} {text[:80]!r} is nothing of the submission",
            object=text[:80],
        )
    return end


def _revisions(submission: Submission) -> list[Revision]:
    """Return the operations that the memberships of documents and folders stand for."""
    things = {
        *(entry.entry_uuid for entry in submission.entries),
        *(folder.entry_uuid for folder in submission.folders),
    }
    return [
        _revision(association)
        for association in submission.associations
        if association.type is AssociationType.HAS_MEMBER
        and association.source == submission.submission_set.entry_uuid
        and association.target in things
    ]


def _revision(member: Association) -> Revision:
    slots = {slot.name: slot.values for slot in member.extra}
    asked = {name: slots.get(name, ("",)) for name in (PREVIOUS_VERSION, ASSOCIATION_PROPAGATION)}
    for name, values in asked.items():
        if len(values) > 1:
            raise MetadataInvalid(f"{name} has more than one value", attribute=name)
    propagation = asked[ASSOCIATION_PROPAGATION][0].lower() or "yes"
    if propagation not in {"yes", "no"}:
        raise MetadataInvalid(
            f"{ASSOCIATION_PROPAGATION} is yes or no", attribute=ASSOCIATION_PROPAGATION
        )
    return Revision(
        member=member, previous_version=asked[PREVIOUS_VERSION][0], propagate=propagation == "yes"
    )
