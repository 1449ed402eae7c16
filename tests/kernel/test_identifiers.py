"""Identifiers: what fits its standard is taken, what does not is refused (ITI TF-3 4.2.3.1.7)."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.identifiers import (
    BadIdentifier,
    PatientId,
    PatientKeys,
    dicom_uid,
    entry_uuid,
    is_oid,
    new_uid,
    stable_uid,
    stream_id,
    urn,
)

OIDS = st.lists(st.integers(0, 10**9), min_size=1, max_size=5).map(
    lambda parts: "1." + ".".join(str(p) for p in parts)
)
IDS = st.text(
    st.characters(blacklist_characters="^&|~\r\n\x00", blacklist_categories=("Cs",)),
    min_size=1,
    max_size=64,
)


@given(IDS, OIDS)
def test_a_patient_id_reads_what_it_writes(identifier: str, authority: str) -> None:
    patient = PatientId(identifier, authority)
    assert PatientId.parse(str(patient)) == patient


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1001",
        "1001^^^",
        "^^^&1.2.3&ISO",
        "1001^^^HOSPITAL&1.2.3&ISO",
        "1001^^^&1.2.3&DNS",
        "1001^^^&1.2.03&ISO",
        "1001^^^&not.an.oid&ISO",
        "1001^7^M11^&1.2.3&ISO",
        "10~01^^^&1.2.3&ISO",
    ],
)
def test_a_patient_id_without_its_authority_is_refused(text: str) -> None:
    with pytest.raises(BadIdentifier):
        PatientId.parse(text)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("1.2.840.10008.1.2", True),
        ("2.25.329800735698586629295641978511506172918", True),
        ("3.1", False),
        ("1", False),
        ("1.2.", False),
        ("1..2", False),
        ("1.02", False),
        ("1.2." + "1" * 61, False),
    ],
)
def test_oids(text: str, good: bool) -> None:
    assert is_oid(text) is good


def test_a_dicom_uid_loses_its_padding_and_keeps_devices_leading_zeroes() -> None:
    assert dicom_uid("1.2.3\x00") == "1.2.3"
    assert dicom_uid("1.2.0003 ") == "1.2.0003"


@pytest.mark.parametrize(
    "text", ["", "../../etc/passwd", "1.2/3", "1.2\\3", "1.2.3\n4", "1" * 65, "1.2.³", "%2e%2e"]
)
def test_a_uid_that_could_be_a_path_is_refused(text: str) -> None:
    with pytest.raises(BadIdentifier):
        dicom_uid(text)


@given(st.text(max_size=80))
def test_any_text_is_a_uid_of_digits_and_dots_or_refused(text: str) -> None:
    try:
        uid = dicom_uid(text)
    except BadIdentifier:
        return
    assert set(uid) <= set("0123456789.")
    assert len(uid) <= 64


def test_made_uids_are_oids_and_the_stable_one_is_the_same_again() -> None:
    assert is_oid(new_uid())
    assert new_uid() != new_uid()
    assert stable_uid("a", "b") == stable_uid("a", "b")
    assert stable_uid("a", "b") != stable_uid("ab")


@given(st.uuids())
def test_an_entry_uuid_reads_what_it_writes(uuid: UUID) -> None:
    assert entry_uuid(urn(uuid)) == uuid


@pytest.mark.parametrize("text", ["", "doc01", "urn:uuid:", "urn:uuid:123", "urn:oid:1.2.3"])
def test_an_id_that_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(BadIdentifier):
        entry_uuid(text)


def test_streams_of_different_things_never_meet() -> None:
    assert stream_id("study", "1.2") != stream_id("object", "1.2")
    assert stream_id("a", "b", "c") != stream_id("a", "bc")


def test_a_patient_key_depends_on_the_nodes_secret_and_tells_nothing() -> None:
    patient = PatientId("110101199003070000", "1.2.3")
    one, other = PatientKeys(b"1" * 32), PatientKeys(b"2" * 32)
    assert one.key(patient) == one.key(patient)
    assert one.key(patient) != other.key(patient)
    assert one.key(patient) != one.key(PatientId(patient.id, "1.2.4"))
    with pytest.raises(ValueError, match="32 bytes"):
        PatientKeys(b"short")
