"""The identity feed: HL7 ADT messages (ITI-8) and their way over MLLP."""

from __future__ import annotations

import socket

import pytest

from server.demo.doors import patiently
from server.demo.feed import acknowledgement, feed
from server.demo.identities import adt, escape, messages
from server.demo.people import GUI_BIN, PATIENTS, ZHANG_SAN
from server.demo.refusals import DoorRefused
from tests.support.front_doors import AUTHORITY, WHEN, mllp_server, target


def test_the_feed_tells_every_patient_once_and_one_update():
    feed_ = messages(AUTHORITY, WHEN)
    assert len(feed_) == len(PATIENTS) + 1
    events = [m.split(b"|")[8].decode() for m in feed_]
    assert events.count("ADT^A04^ADT_A01") == len(PATIENTS) - 1
    assert events[-1] == "ADT^A08^ADT_A01"
    assert feed_ == messages(AUTHORITY, WHEN)


def test_a_message_has_the_fields_of_the_patient():
    lines = adt("A01", GUI_BIN, AUTHORITY, when=WHEN, number=1).decode().split("\r")
    header, pid, pv1 = (lines[i].split("|") for i in (0, 2, 3))
    assert header[17] == "UNICODE UTF-8"
    assert header[11] == "2.5"
    assert pid[3] == f"PK100009^^^&{AUTHORITY}&ISO^MR"
    assert pid[5] == "Gui^Bin Demo^^^^^L^A~桂^宾^^^^^L^I"
    assert (pid[7], pid[8]) == ("19701001", "M")
    assert pv1[16] == "VIP"


def test_delimiters_are_escaped():
    assert escape("a|b^c&d~e\\f") == "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f"


def test_the_feed_goes_over_one_connection_and_reads_every_acknowledgement():
    with mllp_server() as (port, heard):
        done = []
        feed(target(mllp=port), messages(AUTHORITY, WHEN), done.append)
    assert heard == messages(AUTHORITY, WHEN)
    assert done == list(range(1, len(heard) + 1))


def test_an_application_error_names_the_door_and_the_code():
    refusal = b"MSH|^~\\&\rMSA|AE|x\rERR||PID^1^3|204^Unknown key identifier^HL70357|E\r"
    with mllp_server(lambda _: refusal) as (port, _), pytest.raises(DoorRefused) as caught:
        feed(target(mllp=port), messages(AUTHORITY, WHEN), lambda _: None)
    assert caught.value.status == "AE"
    assert str(port) in str(caught.value)
    assert "PID^1^3" in str(caught.value)
    assert ZHANG_SAN.id not in str(caught.value)


def test_an_answer_without_msa_is_no_success():
    assert acknowledgement(b"MSH|^~\\&|\r") == ("", "")


def test_a_door_that_opens_late_is_waited_for():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    attempts = []

    def attempt():
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionRefusedError
        return "open"

    assert patiently(attempt, door="x", seconds=5) == "open"
    with pytest.raises(DoorRefused, match=r"MLLP at 127\.0\.0\.1"):
        feed(target(mllp=port, patience=0.3), [b"MSH"], lambda _: None)
