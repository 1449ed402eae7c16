"""Two hospitals' installations are two communities: each finds and fetches what the other holds.

XCA (ITI TF-2 3.38, 3.39) and XCA-I (RAD TF-3 4.75) over sockets, initiating and responding; one
knows the patient by its own number, the other by another. Asynchronous web services (V.3.2.2).
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import httpx
import pydicom
import pytest
from lxml import etree
from pydicom.filebase import DicomBytesIO

from tests.support import ct, mllp, modality, soap, xds
from tests.support.peers import free_port
from tests.support.running import RunningPianku
from tests.support.soap import Answer, SoapClient, included

EAST_HOME: Final = "urn:oid:2.25.880001"
WEST_HOME: Final = "urn:oid:2.25.880002"
EAST_IDS: Final = "2.25.880011"
WEST_IDS: Final = "2.25.880012"
RAD69: Final = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
RAD75: Final = "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSet"
RAD: Final = "urn:ihe:rad:xdsi-b:2009"
PARTIAL: Final = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
EXPLICIT: Final = "1.2.840.10008.1.2.1"
LARGE: Final = 160 << 20


@dataclass
class Pair:
    """Two installations that know each other, and one patient known to both."""

    east: RunningPianku
    west: RunningPianku
    replies: str

    @property
    def consumer(self) -> SoapClient:
        return SoapClient(self.east.http)

    def patient(self) -> tuple[str, str]:
        """Feed a new patient to both; return the number in the east and the one in the west."""
        stamp = time.monotonic_ns()
        east, west = f"E{stamp}^^^&{EAST_IDS}&ISO", f"W{stamp}^^^&{WEST_IDS}&ISO"
        both = mllp.admission(f"E{stamp}", EAST_IDS).replace(east, f"{east}~{west}")
        assert mllp.accepted(mllp.send(self.east.mllp_port, both))
        assert mllp.accepted(mllp.send(self.west.mllp_port, mllp.admission(f"W{stamp}", WEST_IDS)))
        return east, west


@pytest.fixture(scope="module")
def pair(engine_dsn: str | None) -> Generator[Pair]:
    port = free_port()
    replies = f"http://127.0.0.1:{port}/replies"
    flags = ("--no-load",)
    west = RunningPianku(dsn=engine_dsn, flags=flags)
    east = RunningPianku(dsn=engine_dsn, flags=flags)
    east._settings |= {
        "PIANKU_DOMAIN__HOME_COMMUNITY_OID": EAST_HOME.removeprefix("urn:oid:"),
        "PIANKU_DOMAIN__ASSIGNING_AUTHORITY": EAST_IDS,
        "PIANKU_DOMAIN__IDENTITY_DOMAINS": f"WEST={WEST_IDS}",
        "PIANKU_GATEWAY__QUERY_SECONDS": "5",
        "PIANKU_GATEWAY__REPLY_TO": replies,
        "PIANKU_COMMUNITIES": json.dumps([community(WEST_HOME, west, WEST_IDS)]),
    }
    west._settings |= {
        "PIANKU_DOMAIN__HOME_COMMUNITY_OID": WEST_HOME.removeprefix("urn:oid:"),
        "PIANKU_DOMAIN__ASSIGNING_AUTHORITY": WEST_IDS,
        "PIANKU_COMMUNITIES": json.dumps([community(EAST_HOME, east, "")]),
    }
    with west, east:
        yield Pair(east, west, replies)


def community(home: str, place: RunningPianku, authority: str) -> dict[str, str]:
    return {
        "home_community_oid": home.removeprefix("urn:oid:"),
        "query_url": f"{place.http}/xca/query",
        "retrieve_url": f"{place.http}/xca/retrieve",
        "imaging_url": f"{place.http}/xca/imaging",
        "assigning_authority": authority,
    }


def query_body(patient: str) -> str:
    parameters = {
        "$XDSDocumentEntryPatientId": f"'{patient}'",
        "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
    }
    slots = "".join(
        f'<rim:Slot name="{name}"><rim:ValueList><rim:Value>{escape(value)}</rim:Value>'
        "</rim:ValueList></rim:Slot>"
        for name, value in parameters.items()
    )
    return (
        f'<query:AdhocQueryRequest xmlns:query="{xds.QUERY}" xmlns:rim="{xds.RIM}">'
        '<query:ResponseOption returnType="LeafClass" returnComposedObjects="true"/>'
        f'<rim:AdhocQuery id="{xds.FIND_DOCUMENTS}">{slots}</rim:AdhocQuery>'
        "</query:AdhocQueryRequest>"
    )


def find(client: SoapClient, patient: str) -> Answer:
    return client.call("/xca/query", xds.ITI18, query_body(patient))


def fetch(client: SoapClient, entries: list[etree._Element]) -> dict[str, bytes]:
    requests = "".join(
        f"<x:DocumentRequest><x:HomeCommunityId>{entry.get('home')}</x:HomeCommunityId>"
        f"<x:RepositoryUniqueId>{xds.slot(entry, 'repositoryUniqueId')[0]}</x:RepositoryUniqueId>"
        f"<x:DocumentUniqueId>{xds.unique_id(entry)}</x:DocumentUniqueId></x:DocumentRequest>"
        for entry in entries
    )
    body = f'<x:RetrieveDocumentSetRequest xmlns:x="{xds.XDS}">{requests}</x:RetrieveDocumentSetRequest>'
    return retrieved(client.call("/xca/retrieve", xds.ITI43, body, mtom=True))


def retrieved(answer: Answer) -> dict[str, bytes]:
    told = answer.body.find("rs:RegistryResponse", xds.NAMES)
    assert told is not None, answer.text()
    assert told.get("status") == xds.SUCCESS, answer.text()
    return {
        one.findtext("xds:DocumentUniqueId", "", xds.NAMES): included(
            one.find("xds:Document", xds.NAMES), answer.parts
        )
        for one in answer.body.iterfind("xds:DocumentResponse", xds.NAMES)
    }


def provide(place: RunningPianku, patient: str, content: bytes) -> xds.Document:
    document = xds.Document(content, patient)
    answer = xds.provide_and_register(SoapClient(place.http), document)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    return document


@pytest.mark.tender("H-2")
@pytest.mark.tender("R-6.2.6.1")
def test_a_consumer_finds_and_fetches_what_both_communities_hold(pair: Pair) -> None:
    east, west = pair.patient()
    here, there = provide(pair.east, east, b"east " * 999), provide(pair.west, west, b"west " * 999)

    answer = find(pair.consumer, east)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    entries = xds.objects(answer)
    assert {(entry.get("home"), xds.unique_id(entry)) for entry in entries} == {
        (EAST_HOME, here.unique_id), (WEST_HOME, there.unique_id),
    }  # fmt: skip

    got = fetch(pair.consumer, entries)
    assert got == {here.unique_id: here.content, there.unique_id: there.content}


def test_each_asks_the_other_and_no_query_goes_in_circles(pair: Pair) -> None:
    east, west = pair.patient()
    document = provide(pair.west, west, b"west alone")
    # The east does not know the patient by the west's number as its own: it finds nothing.
    answer = find(SoapClient(pair.west.http), west)
    assert xds.status(answer) == xds.SUCCESS, answer.text()
    assert [xds.unique_id(entry) for entry in xds.objects(answer)] == [document.unique_id]
    assert east != west


def test_a_large_document_passes_through_without_being_held_in_memory(pair: Pair) -> None:
    east, west = pair.patient()
    content = hashlib.shake_128(b"x").digest(1 << 20) * (LARGE >> 20)
    document = provide(pair.west, west, content)
    (entry,) = xds.objects(find(pair.consumer, east))
    before = resident(pair.east)
    got = fetch(pair.consumer, [entry])
    assert hashlib.sha256(got[document.unique_id]).digest() == hashlib.sha256(content).digest()
    assert resident(pair.east) - before < LARGE // 4
    folder = pair.east.data / "storage" / "incoming"
    deadline = time.monotonic() + 5
    while held(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert held(folder) == []


def resident(place: RunningPianku) -> int:
    """Return the most memory that any process of an installation ever had, in bytes."""
    peaks = [
        int(line.split()[1]) * 1024
        for pid in place.processes()
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        if line.startswith("VmHWM")
    ]
    return max(peaks)


def held(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"]


@pytest.mark.tender("H-2")
@pytest.mark.peer("dcmtk")
def test_images_of_the_other_community_are_fetched_by_its_manifest(
    pair: Pair, tmp_path: Path
) -> None:
    east, west = pair.patient()
    series = ct.Series(patient_id=west.partition("^")[0])
    files = ct.write(tmp_path / "ct", series, 3, size=64)
    modality.store(pair.west.node, files)
    deadline = time.monotonic() + 30
    entries: list[etree._Element] = []
    while not entries and time.monotonic() < deadline:
        entries = xds.objects(find(pair.consumer, east))
        time.sleep(0.2)
    (octets,) = fetch(pair.consumer, entries).values()
    manifest = pydicom.dcmread(DicomBytesIO(octets))
    (evidence,) = manifest.CurrentRequestedProcedureEvidenceSequence
    requests = "".join(
        f'<r:SeriesRequest seriesInstanceUID="{one.SeriesInstanceUID}">'
        + "".join(
            f"<x:DocumentRequest><x:HomeCommunityId>{WEST_HOME}</x:HomeCommunityId>"
            f"<x:RepositoryUniqueId>{one.RetrieveLocationUID}</x:RepositoryUniqueId>"
            f"<x:DocumentUniqueId>{image.ReferencedSOPInstanceUID}</x:DocumentUniqueId>"
            "</x:DocumentRequest>"
            for image in one.ReferencedSOPSequence
        )
        + "</r:SeriesRequest>"
        for one in evidence.ReferencedSeriesSequence
    )
    body = (
        f'<r:RetrieveImagingDocumentSetRequest xmlns:r="{RAD}" xmlns:x="{xds.XDS}">'
        f'<r:StudyRequest studyInstanceUID="{evidence.StudyInstanceUID}">{requests}'
        f"</r:StudyRequest><r:TransferSyntaxUIDList><r:TransferSyntaxUID>{EXPLICIT}"
        "</r:TransferSyntaxUID></r:TransferSyntaxUIDList></r:RetrieveImagingDocumentSetRequest>"
    )
    answer = pair.consumer.call("/xca/imaging", RAD69, body, mtom=True)
    assert answer.action == "urn:ihe:iti:2007:RetrieveDocumentSetResponse", answer.text()
    sent = modality.by_uid(files)
    got = retrieved(answer)
    assert set(got) == set(sent)
    for uid, dicom in got.items():
        assert pydicom.dcmread(DicomBytesIO(dicom)).PixelData == sent[uid].PixelData
    # The holder itself, asked as a community, hands them out; what is of others it names.
    direct = SoapClient(pair.west.http)
    told = direct.call("/xca/imaging", RAD75, body, mtom=True)
    assert told.action == f"{RAD75}Response"
    assert set(retrieved(told)) == set(sent)
    strange = direct.call("/xca/imaging", RAD75, body.replace(WEST_HOME, EAST_HOME), mtom=True)
    assert set(xds.errors(strange)) == {"XDSUnknownCommunity"}
    homeless = body.replace(f"<x:HomeCommunityId>{WEST_HOME}</x:HomeCommunityId>", "")
    told = pair.consumer.call("/xca/imaging", RAD69, homeless, mtom=True)
    assert set(xds.errors(told)) == {"XDSMissingHomeCommunityId"}


def test_the_answer_goes_to_the_address_that_was_given(pair: Pair) -> None:
    east, west = pair.patient()
    document = provide(pair.west, west, b"for later")
    came: queue.Queue[bytes] = queue.Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    port = int(pair.replies.split(":")[2].partition("/")[0])
    with ThreadingHTTPServer(("127.0.0.1", port), Receiver) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        message = soap.envelope(
            f"{pair.east.http}/xca/query", xds.ITI18, "urn:uuid:later", query_body(east)
        ).replace(f"{soap.ADDRESSING}/anonymous".encode(), f"{pair.replies}/7".encode())
        told = httpx.post(
            f"{pair.east.http}/xca/query", content=message,
            headers={"content-type": "application/soap+xml; charset=UTF-8"},
        )  # fmt: skip
        assert told.status_code == 202, told.text
        answer = etree.fromstring(came.get(timeout=20))
        receiver.shutdown()
    assert answer.findtext(f".//{{{soap.ADDRESSING}}}RelatesTo") == "urn:uuid:later"
    (entry,) = answer.iterfind(".//rim:ExtrinsicObject", xds.NAMES)
    assert (entry.get("home"), xds.unique_id(entry)) == (WEST_HOME, document.unique_id)


def test_a_community_that_is_down_does_not_hide_ours(pair: Pair) -> None:
    east, _ = pair.patient()
    document = provide(pair.east, east, b"still here")
    pair.west.kill()
    try:
        answer = find(pair.consumer, east)
        assert xds.status(answer) == PARTIAL
        assert [xds.unique_id(entry) for entry in xds.objects(answer)] == [document.unique_id]
        (error,) = answer.body.iterfind(".//rs:RegistryError", xds.NAMES)
        assert error.get("errorCode") == "XDSUnavailableCommunity"
        assert error.get("location") == WEST_HOME
    finally:
        pair.west.start()
    assert xds.status(find(pair.consumer, east)) == xds.SUCCESS
