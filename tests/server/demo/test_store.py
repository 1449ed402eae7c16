"""C-STORE (PS3.4 annex B) and STOW-RS (PS3.18 10.5) against servers of other makers."""

from __future__ import annotations

import io
import json

import pytest
from pydicom import dcmread

from server.demo.refusals import DoorRefused
from server.demo.store import c_store, stow
from server.demo.studies import generate
from tests.support.front_doors import happy, http_server, parts, storage_scp, target


def test_c_store_sends_every_instance_in_its_own_syntax():
    instances = [*generate("ECG"), *generate("FILES")]
    with storage_scp() as (port, received):
        c_store(target(dimse=port), instances, lambda: None)
    assert {uid for uid, _ in received} == {str(ds.SOPInstanceUID) for ds in instances}
    assert {title for _, title in received} == {"PIANKU_DEMO"}


def test_a_refused_c_store_names_the_status():
    with storage_scp(0xA700) as (port, _), pytest.raises(DoorRefused) as caught:
        c_store(target(dimse=port), generate("ECG"), lambda: None)
    assert caught.value.status == "status 0xA700"
    assert "C-STORE to PIANKU" in caught.value.door


def test_nobody_at_the_dicom_door_is_told():
    with pytest.raises(DoorRefused, match=r"C-STORE to PIANKU at 127\.0\.0\.1:9 answered nothing"):
        c_store(target(patience=0.3), generate("ECG"), lambda: None)


def test_stow_sends_part_10_files_with_the_token():
    instances = generate("ES", count=2)
    with http_server(happy) as (port, requests):
        stow(target(http=port), instances)
    [(path, headers, body)] = requests
    assert path == "/dicom-web/studies"
    assert headers["Authorization"] == "Bearer secret"
    sent = [dcmread(io.BytesIO(p.get_payload(decode=True))) for p in parts(headers, body)]
    assert [ds.SOPInstanceUID for ds in sent] == [ds.SOPInstanceUID for ds in instances]


@pytest.mark.parametrize("status", [202, 409])
def test_a_partly_refused_stow_names_the_reasons(status):
    answer = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [272]}}]}}

    def partly(*_):
        return status, "application/dicom+json", json.dumps(answer).encode()

    with (
        http_server(partly) as (port, _),
        pytest.raises(DoorRefused, match=f"HTTP {status}.*0x0110"),
    ):
        stow(target(http=port), generate("ECG"))


def test_a_busy_server_is_asked_again():
    answers = iter([503, 503, 200])

    def busy(*_):
        return next(answers), "application/dicom+json", b"{}"

    with http_server(busy) as (port, requests):
        stow(target(http=port), generate("ECG"))
    assert len(requests) == 3
