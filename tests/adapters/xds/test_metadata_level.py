"""What each metadata level shows after updates (ITI TF-2 3.18.4.1.2.3.5.1)."""

from __future__ import annotations

from adapters.xds import names
from registry.documents.values import AssociationType, Status
from tests.support import xds
from tests.support.soap import SoapClient
from tests.support.submissions import PATIENT, entry
from tests.support.update_client import (
    GET_DOCUMENTS,
    LEVEL_TWO,
    OFFLINE,
    asked,
    done,
    failed,
    registered,
    urns,
    uuids,
)
from tests.support.updates import metadata_update, new_version, send_update

APPROVED, DEPRECATED = Status.APPROVED, Status.DEPRECATED
APND = AssociationType.APND
GET_ASSOCIATIONS = "urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155"
GET_FOLDER_AND_CONTENTS = "urn:uuid:b909a503-523d-4517-8acf-8e5834dfc4c7"
GET_RELATED = "urn:uuid:d90e5407-b356-4d91-a89f-873917b4b0e6"


def test_q5_level_one_shows_the_current_version_and_level_two_all(client: SoapClient) -> None:
    old = entry()
    registered(client, old)
    new = new_version(old)
    done(send_update(client, metadata_update(new)))

    by_unique_id = {"$XDSDocumentEntryUniqueId": f"('{old.unique_id}')"}
    assert uuids(asked(client, GET_DOCUMENTS, by_unique_id)) == urns(new)
    assert uuids(asked(client, GET_DOCUMENTS, {**by_unique_id, "$MetadataLevel": "1"})) == urns(new)
    assert uuids(asked(client, GET_DOCUMENTS, {**by_unique_id, **LEVEL_TWO})) == urns(old, new)
    # A version that is named by its own entryUUID is shown.
    by_uuid = {"$XDSDocumentEntryEntryUUID": f"('urn:uuid:{old.entry_uuid}')"}
    (shown,) = asked(client, GET_DOCUMENTS, by_uuid)
    assert shown.get("status") == f"{names.STATUS}Deprecated"
    level_one = {"$XDSDocumentEntryLogicalID": f"('urn:uuid:{old.entry_uuid}')"}
    failed(xds.stored_query(client, GET_DOCUMENTS, level_one), "XDSRegistryError")

    deprecated = {"$XDSDocumentEntryStatus": f"('{names.STATUS}Deprecated')"}
    everything = {"$XDSDocumentEntryPatientId": f"'{PATIENT}'", **deprecated}
    assert urns(old) & uuids(asked(client, xds.FIND_DOCUMENTS, everything)) == set()
    assert urns(old) <= uuids(
        asked(client, xds.FIND_DOCUMENTS, {**everything, **LEVEL_TWO}, return_type="ObjectRef")
    )


def test_q5_offline_documents_need_level_two(client: SoapClient) -> None:
    old = entry()
    registered(client, old)
    new = new_version(old, document_availability=OFFLINE)
    done(send_update(client, metadata_update(new)))
    by_unique_id = {"$XDSDocumentEntryUniqueId": f"('{old.unique_id}')"}
    assert asked(client, GET_DOCUMENTS, by_unique_id) == []
    shown = asked(client, GET_DOCUMENTS, {**by_unique_id, **LEVEL_TWO})
    assert [xds.slot(one, "documentAvailability") for one in shown] == [[], [OFFLINE]]
