"""ITI-92 over the wire: which attributes each update transaction changes (ITI TF-2 3.57, 3.92)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from adapters.xds import names
from kernel.codes import Code
from registry.documents.values import AssociationType, Author, Slot, Status
from tests.support import xds
from tests.support.soap import SoapClient
from tests.support.submissions import OTHER_PATIENT, entry
from tests.support.update_client import OFFLINE, failed, registered, versions
from tests.support.updates import metadata_update, new_version, send_update

APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED
APND = AssociationType.APND
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
GET_FOLDER_AND_CONTENTS = "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7"
GET_RELATED = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"


CHANGES: dict[str, dict[str, Any]] = {
    "author": {"authors": (Author(person="^Other^Eve"),)},
    "classCode": {"class_code": Code("IMAGES", "1.3.6.1.4.1.19376.1.2.6.1", "Images")},
    "comments": {"comments": "Another comment"},
    "confidentialityCode": {
        "confidentiality_codes": (Code("R", "2.16.840.1.113883.5.25", "restricted"),)
    },
    "creationTime": {"creation_time": "20260102"},
    "eventCodeList": {"event_codes": (Code("CT", "1.2.840.10008.2.6.1", "CT"),)},
    "hash": {"hash": "ab" * 20},
    "languageCode": {"language_code": "en-US"},
    "legalAuthenticator": {"legal_authenticator": "^Other^Eve"},
    "mimeType": {"mime_type": "text/plain"},
    "referenceIdList": {
        "reference_ids": ("77^^^&1.2.250.99.7&ISO^urn:ihe:iti:xds:2013:accession",)
    },
    "serviceStartTime": {"service_start_time": "20260101"},
    "serviceStopTime": {"service_stop_time": "20260103"},
    "size": {"size": 4711},
    "sourcePatientInfo": {"source_patient_info": ("PID-8|M",)},
    "title": {"title": "Another title"},
    "URI": {"uri": "http://example.org/other"},
    "extra": {"extra": (Slot("urn:example:ward", ("9",)),)},
}
ONLY_UPDATE: dict[str, dict[str, Any]] = {
    "sourcePatientId": {"source_patient_id": OTHER_PATIENT},
    "repositoryUniqueId": {"repository_unique_id": "1.2.250.99.77"},
    "documentAvailability": {"document_availability": OFFLINE},
}


@pytest.mark.parametrize("action", [names.ITI_57, names.ITI_92])
def test_u7_attributes_are_updated_one_after_the_other(client: SoapClient, action: str) -> None:
    current = entry()
    registered(client, current)
    steps = {**CHANGES, **(ONLY_UPDATE if action == names.ITI_57 else {})}
    for number, (attribute, changes) in enumerate(steps.items(), start=1):
        current = new_version(current, **changes)
        answer = send_update(client, metadata_update(current, previous=str(number)), action)
        assert answer.action == f"{action}Response"
        assert xds.status(answer) == xds.SUCCESS, (attribute, answer.text())
    found = versions(client, current.logical_id or uuid4())
    assert set(found) == {str(n) for n in range(1, len(steps) + 2)}
    last = found[str(len(steps) + 1)]
    assert xds.slot(last, "hash") == ["ab" * 20]
    assert xds.slot(last, "size") == ["4711"]
    assert xds.slot(last, "urn:example:ward") == ["9"]
    assert last.get("mimeType") == "text/plain"
    assert last.find("rim:Name/rim:LocalizedString", xds.NAMES).get("value") == "Another title"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"repository_unique_id": "1.2.3"}, "UnmodifiableMetadataError"),
        ({"source_patient_id": OTHER_PATIENT}, "UnmodifiableMetadataError"),
        ({"document_availability": OFFLINE}, "UnmodifiableMetadataError"),
        ({"object_type": names.FOLDER}, "UnmodifiableMetadataError"),
        ({"availability_status": DEPRECATED}, "UnmodifiableMetadataError"),
        ({"patient_id": OTHER_PATIENT}, "XDSPatientIDReconciliationError"),
        ({"unique_id": "1.2.3"}, "XDSMetadataIdentifierError"),
        ({"logical_id": None}, "XDSInvalidRequestException"),
        ({"logical_id": uuid4()}, "UnresolvedReferenceException"),
    ],
)
def test_u7_what_a_restricted_update_may_not_change(
    client: SoapClient, changes: dict[str, Any], code: str
) -> None:
    old = entry()
    registered(client, old)
    answer = send_update(client, metadata_update(new_version(old, **changes)), names.ITI_92)
    failed(answer, code)
    assert set(versions(client, old.entry_uuid)) == {"1"}
