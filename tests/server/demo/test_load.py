"""The loaders against small servers of other makers: a socket, pynetdicom's SCP, http.server."""

from __future__ import annotations

import io
import json
import socket
import threading
from contextlib import contextmanager
from datetime import date, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from lxml import etree
from pydicom import dcmread
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification

import schemas
from server.demo import load as loading
from server.demo import provide
from server.demo.catalogue import catalogue
from server.demo.documents import submissions
from server.demo.doors import DemoTarget, patiently
from server.demo.feed import acknowledgement, feed
from server.demo.identities import adt, escape, messages
from server.demo.people import GUI_BIN, PATIENTS, ZHANG_SAN
from server.demo.refusals import DoorRefused
from server.demo.store import c_store, stow
from server.demo.studies import generate
from server.demo.xds_metadata import CODES, PRACTICES, TYPES, XDS, Metadata

AUTHORITY = "2.25.4711"
TODAY = date(2026, 5, 4)
WHEN = datetime(2026, 5, 4)  # noqa: DTZ001


def target(**ports) -> DemoTarget:
    return DemoTarget(
        http=f"127.0.0.1:{ports.get('http', 9)}",
        dimse=("127.0.0.1", ports.get("dimse", 9), "PIANKU"),
        mllp=("127.0.0.1", ports.get("mllp", 9)),
        assigning_authority=AUTHORITY,
        token="secret",
        patience_seconds=ports.get("patience", 10),
    )


@contextmanager
def mllp_server(answer=lambda message: b"MSH|^~\\&\rMSA|AA|" + message.split(b"|")[9] + b"\r"):
    heard, listener = [], socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            data = b""
            with connection:
                while piece := connection.recv(4096):
                    data += piece
                    while b"\x1c\r" in data:
                        message, _, data = data.partition(b"\x1c\r")
                        heard.append(message.removeprefix(b"\x0b"))
                        reply = answer(heard[-1])
                        if reply is None:
                            break
                        connection.sendall(b"\x0b" + reply + b"\x1c\r")

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.close()


@contextmanager
def storage_scp(status=0x0000):
    received = []

    def handle(event):
        ds = event.dataset
        ds.file_meta = event.file_meta
        received.append((str(ds.SOPInstanceUID), event.assoc.requestor.ae_title))
        return status

    entity = AE(ae_title="PIANKU")
    entity.add_supported_context(Verification)
    from pydicom.uid import AllTransferSyntaxes  # noqa: PLC0415
    from pynetdicom import AllStoragePresentationContexts  # noqa: PLC0415

    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, AllTransferSyntaxes)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handle)]
    )
    try:
        yield server.socket.getsockname()[1], received
    finally:
        server.shutdown()


@contextmanager
def http_server(answer):
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append((self.path, dict(self.headers), body))
            status, content_type, payload = answer(self.path, dict(self.headers), body)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, requests
    finally:
        server.shutdown()
        server.server_close()


def registry_response(status="Success", errors=()):
    listed = "".join(
        f'<rs:RegistryError errorCode="{code}" codeContext="{context}" severity="urn:x:Error"/>'
        for code, context in errors
    )
    return (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        '<rs:RegistryResponse xmlns:rs="urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0" '
        f'status="urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:{status}">'
        f"<rs:RegistryErrorList>{listed}</rs:RegistryErrorList></rs:RegistryResponse>"
        "</s:Body></s:Envelope>"
    ).encode()


def happy(path, _headers, _body):
    if path == "/dicom-web/studies":
        return 200, "application/dicom+json", b"{}"
    return 200, "application/soap+xml", registry_response()


def parts(headers, body):
    message = BytesParser().parsebytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body
    )
    return message.get_payload()


# --- identities ------------------------------------------------------------------------------


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


# --- MLLP ------------------------------------------------------------------------------------


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


# --- studies ---------------------------------------------------------------------------------


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


# --- documents -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def papers():
    return [draw() for draw in submissions(TODAY)]


def test_iti_41_is_an_mtom_package_with_the_documents_as_they_are(papers):
    with http_server(happy) as (port, requests):
        assert provide.provide(target(http=port), papers[0])
    [(path, headers, body)] = requests
    assert path == "/xds/repository"
    assert 'type="application/xop+xml"' in headers["Content-Type"]
    root, *documents = parts(headers, body)
    envelope = etree.fromstring(root.get_payload(decode=True))
    includes = envelope.findall(".//{http://www.w3.org/2004/08/xop/include}Include")
    cids = [part["Content-ID"].strip("<>") for part in documents]
    assert [i.get("href").removeprefix("cid:") for i in includes] == cids
    assert [p.get_payload(decode=True) for p in documents] == [
        d.content for d in papers[0].documents
    ]
    action = envelope.find(".//{http://www.w3.org/2005/08/addressing}Action")
    assert action.text == provide.ACTION


def test_all_metadata_are_valid_by_the_schema(papers):
    schema = etree.XMLSchema(etree.parse(str(schemas.path("xds/xds-b.xsd"))))
    for paper in papers:
        body, contents = Metadata(AUTHORITY).request(paper)
        for entry_id in contents:
            provide.SubElement(body, f"{{{XDS}}}Document", {"id": entry_id}).text = "eA=="
        schema.assertValid(etree.fromstring(provide.ET.tostring(body)))


def test_ids_within_all_submissions_are_unique(papers):
    ids = [
        element.get("id")
        for paper in papers
        for element in Metadata(AUTHORITY).request(paper)[0].iter()
        if element.get("id")
    ]
    assert len(set(ids)) == len(ids)


def test_all_codes_are_of_the_affinity_domain():
    types = json.loads(schemas.path("codes/affinity-domain.json").read_text("utf-8"))["types"]
    allowed = {
        name: {(c["code"], c["scheme"]) for c in kind["codes"]} for name, kind in types.items()
    }
    homes = {
        "class": "classCode",
        "class picture": "classCode",
        "type": "typeCode",
        "confidentiality": "confidentialityCode",
        "confidentiality vip": "confidentialityCode",
        "facility": "healthcareFacilityTypeCode",
        "practice": "practiceSettingCode",
    }
    for key, code in CODES.items():
        assert code[:2] in allowed[homes.get(key, "formatCode")], key
    assert {c[:2] for c in PRACTICES.values()} <= allowed["practiceSettingCode"]
    assert {c[:2] for c in TYPES.values()} <= allowed["typeCode"]
    assert CODES["type"][:2] in allowed["contentTypeCode"]


def test_a_duplicate_submission_is_no_failure(papers):
    def duplicate(*_):
        return (
            200,
            "application/soap+xml",
            registry_response("Failure", [("XDSDuplicateUniqueIdInRegistry", "2.25.1")]),
        )

    with http_server(duplicate) as (port, _):
        assert not provide.provide(target(http=port), papers[0])


def test_a_registry_error_names_code_and_context(papers):
    def unknown(*_):
        return (
            200,
            "application/soap+xml",
            registry_response("Failure", [("XDSUnknownPatientId", "not fed")]),
        )

    with (
        http_server(unknown) as (port, _),
        pytest.raises(DoorRefused, match="XDSUnknownPatientId: not fed"),
    ):
        provide.provide(target(http=port), papers[0])


def test_a_soap_fault_is_told(papers):
    fault = (
        b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault>'
        b'<s:Reason><s:Text xml:lang="en">not today</s:Text></s:Reason></s:Fault></s:Body>'
        b"</s:Envelope>"
    )
    with (
        http_server(lambda *_: (500, "application/soap+xml", fault)) as (port, _),
        pytest.raises(DoorRefused, match="HTTP 500: not today"),
    ):
        provide.provide(target(http=port), papers[0])


# --- all of it -------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """A catalogue of the small studies, so that the whole way is short."""
    chosen = tuple(s for s in catalogue(TODAY) if s.kinds[0] in {"ECG", "RT", "ES", "FILES"})
    monkeypatch.setattr(loading, "catalogue", lambda _: chosen)
    monkeypatch.setattr(loading, "submissions", lambda day: submissions(day)[:2])
    return chosen


def test_load_goes_through_all_doors_and_tells_how_far_it_is(few):
    told = []
    with (
        mllp_server() as (mllp, heard),
        storage_scp() as (dimse, received),
        http_server(happy) as (web, requests),
    ):
        report = loading.load(
            target(http=web, dimse=dimse, mllp=mllp),
            lambda done, total, what: told.append((done, total, what)),
            today=TODAY,
        )
    assert report.studies == len(few) == 5
    assert report.documents == sum(len(draw().documents) for draw in submissions(TODAY)[:2])
    assert (len(received), report.instances_c_store) == (9, 9)
    assert report.instances_stow == 17
    assert len(heard) == len(PATIENTS) + 1
    assert [path for path, _, _ in requests].count("/xds/repository") == 2
    assert [done for done, _, _ in told] == list(range(1, told[-1][1] + 1))


def test_load_stops_at_the_first_refusal(few):
    def closed(path, *_):
        return (403, "text/plain", b"") if "dicom-web" in path else happy(path, {}, b"")

    with (
        mllp_server() as (mllp, _),
        storage_scp() as (dimse, _),
        http_server(closed) as (
            web,
            _,
        ),
        pytest.raises(DoorRefused, match=r"STOW-RS at 127\.0\.0\.1:\d+ answered HTTP 403"),
    ):
        loading.load(target(http=web, dimse=dimse, mllp=mllp), today=TODAY)
