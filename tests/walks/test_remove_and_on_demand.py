"""A record is asked for on demand while it grows; then documents and metadata are taken back.

ITI-61 and ITI-43 (ITI TF-2 3.61, 3.43), ITI-86 (3.86), ITI-62 (3.62), over real sockets.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from registry.documents.values import ON_DEMAND
from tests.support import ct, mllp, modality, xds
from tests.support.removing import (
    get_all,
    on_demand,
    register_on_demand,
    remove_documents,
    remove_metadata,
    responses,
)
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient
from tests.support.submissions import entry, submission
from tests.support.xds_node import register


@pytest.fixture
def client(pianku: RunningPianku) -> SoapClient:
    return SoapClient(pianku.http)


@pytest.fixture
def number(pianku: RunningPianku) -> str:
    made = f"RO{time.monotonic_ns()}"
    authority = pianku.demo["assigning_authority"]
    assert mllp.accepted(mllp.send(pianku.mllp_port, mllp.admission(made, authority)))
    return made


@pytest.fixture
def patient(pianku: RunningPianku, number: str) -> str:
    return f"{number}^^^&{pianku.demo['assigning_authority']}&ISO"


@pytest.mark.peer("dcmtk")
def test_a_summary_is_made_on_demand_and_kept_as_it_was_handed_out(
    pianku: RunningPianku, client: SoapClient, number: str, patient: str, tmp_path: Path
) -> None:
    repository = pianku.demo["repository_oid"]
    summary = on_demand(
        patient_id=patient, source_patient_id=patient, repository_unique_id=repository
    )
    answer = register_on_demand(client, submission(summary))
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert answer.action == "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse"
    assert summary.unique_id not in map(xds.unique_id, xds.find_documents(client, patient))
    (found,) = xds.find_documents(client, patient, {"$XDSDocumentEntryType": f"('{ON_DEMAND}')"})
    assert xds.unique_id(found) == summary.unique_id

    before = fetched(client, repository, summary.unique_id)
    series = ct.Series(patient_id=number)
    modality.store(pianku.node, ct.write(tmp_path / "ct", series, 2, size=64))
    after = fetched(client, repository, summary.unique_id)

    assert series.study_uid not in before[1].decode()
    assert series.study_uid in after[1].decode()
    for name, octets in (before, after):
        assert xds.retrieve(client, repository, [name]) == {name: octets}


def fetched(client: SoapClient, repository: str, unique_id: str) -> tuple[str, bytes]:
    answer = xds.retrieve_answer(client, repository, [unique_id])
    assert xds.errors(answer) == [], answer.text()
    (told,), (octets,) = responses(answer), answer.parts.values()
    assert told["NewRepositoryUniqueId"] == repository
    return told["NewDocumentUniqueId"], octets


@pytest.mark.tender("R-6.2.6.3", "H-2")
def test_a_document_goes_first_and_its_metadata_after_it(
    pianku: RunningPianku, client: SoapClient, patient: str
) -> None:
    repository = pianku.demo["repository_oid"]
    document = xds.Document(b"taken back", patient, mime_type="text/plain")
    assert xds.status(xds.provide_and_register(client, document)) == xds.SUCCESS
    held = get_all(client, patient)

    gone = remove_documents(client, (repository, document.unique_id))
    assert xds.status(gone) == xds.SUCCESS, gone.text()
    answer = xds.retrieve_answer(client, repository, [document.unique_id])
    assert xds.errors(answer) == ["XDSDocumentUniqueIdError"]
    assert get_all(client, patient) == held

    (found,) = xds.find_documents(client, patient)
    alone = remove_metadata(client, str(found.get("id")))
    assert xds.errors(alone) == ["ReferencesExistException"]
    together = remove_metadata(client, *held)
    assert xds.status(together) == xds.SUCCESS, together.text()
    assert get_all(client, patient) == set()


def test_what_was_removed_stays_removed_after_a_restart(pianku: RunningPianku) -> None:
    client = SoapClient(pianku.http)
    authority = pianku.demo["assigning_authority"]
    assert mllp.accepted(mllp.send(pianku.mllp_port, mllp.admission("KEPT", authority)))
    patient = f"KEPT^^^&{authority}&ISO"
    one, two = (submission(entry(patient)) for _ in range(2))
    for asked in (one, two):
        assert xds.status(register(client, asked)) == xds.SUCCESS
    named = [one.submission_set, *one.entries, *one.associations]
    assert xds.status(remove_metadata(client, *named)) == xds.SUCCESS
    assert pianku.stop() == 0
    pianku.start()
    client = SoapClient(pianku.http)
    (left,) = xds.find_documents(client, patient)
    assert left.get("id") == f"urn:uuid:{two.entries[0].entry_uuid}"
    again = remove_metadata(client, *named)
    assert xds.errors(again) == ["UnresolvedReferenceException"]
