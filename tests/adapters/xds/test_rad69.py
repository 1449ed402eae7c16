"""RAD-69 over the wire: what it gives, in which transfer syntax, and the cases of checklist I1-I2."""

from __future__ import annotations

import io
import threading
import time

import numpy as np
import pydicom
import pytest
import uvicorn
from fastapi import FastAPI
from lxml import etree
from pydicom.data import get_testdata_file

import schemas
from adapters.soap.door import build_soap_router
from adapters.soap.multipart import Limits
from adapters.xds.endpoint import imaging_service
from adapters.xds.rad69_request import imaging_request
from adapters.xds.rad69_retrieve_imaging_document_set import RetrieveImagingDocumentSet
from tests.support.archive import instance, stable
from tests.support.correcting import correct
from tests.support.imaging import imaging
from tests.support.installation import on_engine
from tests.support.soap import SoapClient, included
from tests.support.xds import NAMES

SOURCE = "1.2.826.0.1.3680043.10.77"
RAD69 = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
JPEG_LS, J2K = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"
HTJ2K = "1.2.840.10008.1.2.4.201"
"""Read by us, not written."""
SUCCESS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success"
FAILURE = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure"
PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"


class Source:
    """A running imaging document source, and what stands behind it."""

    def __init__(self, made, port, folder):
        self.made, self.folder = made, folder
        self.base = f"http://127.0.0.1:{port}"

    def client(self, *roles):
        return SoapClient(
            self.base, {"Authorization": f"Bearer {self.made.house.token(*(roles or ('system',)))}"}
        )

    def accesses(self):
        return [r.fact for r in self.made.house.access.read(0, 10_000)]


@pytest.fixture(params=["sqlite", "postgresql"])
def source(request, tmp_path):
    with imaging(tmp_path, **on_engine(request)) as made:
        house = made.house
        retrieve = RetrieveImagingDocumentSet(
            made.storage,
            made.blobs,
            house.guard,
            source_oids=(SOURCE,),
            corrections=made.index.corrections,
        )
        app = FastAPI(openapi_url=None)
        app.include_router(
            build_soap_router([imaging_service(retrieve)], house.guard, made.blobs, Limits())
        )
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield Source(made, server.servers[0].sockets[0].getsockname()[1], tmp_path)
        server.should_exit = True
        thread.join(10)


def asked(*studies, syntaxes=(EXPLICIT,), repository=SOURCE):
    """A request: each study is (study UID, series UID, SOP Instance UIDs)."""
    listed = "".join(
        f'<r:StudyRequest studyInstanceUID="{study}"><r:SeriesRequest seriesInstanceUID="{series}">'
        + "".join(
            f'<x:DocumentRequest xmlns:x="urn:ihe:iti:xds-b:2007"><x:RepositoryUniqueId>{repository}'
            f"</x:RepositoryUniqueId><x:DocumentUniqueId>{sop}</x:DocumentUniqueId>"
            "</x:DocumentRequest>"
            for sop in sops
        )
        + "</r:SeriesRequest></r:StudyRequest>"
        for study, series, sops in studies
    )
    told = "".join(f"<r:TransferSyntaxUID>{s}</r:TransferSyntaxUID>" for s in syntaxes)
    return (
        f'<r:RetrieveImagingDocumentSetRequest xmlns:r="urn:ihe:rad:xdsi-b:2009">{listed}'
        f"<r:TransferSyntaxUIDList>{told}</r:TransferSyntaxUIDList>"
        "</r:RetrieveImagingDocumentSetRequest>"
    )


def send(client, body):
    return client.call("/xds/imaging", RAD69, body)


def status(answer):
    return answer.body.find("rs:RegistryResponse", NAMES).get("status")


def errors(answer):
    return [e.get("errorCode") for e in answer.body.iterfind(".//rs:RegistryError", NAMES)]


def documents(answer):
    return {
        one.findtext("xds:DocumentUniqueId", "", NAMES): included(
            one.find("xds:Document", NAMES), answer.parts
        )
        for one in answer.body.findall("xds:DocumentResponse", NAMES)
    }


def whole(ds):
    return (ds.StudyInstanceUID, ds.SeriesInstanceUID, (ds.SOPInstanceUID,))


A = (stable("A"), stable("A", "1"))


@pytest.mark.tender("R-6.2.3.2", "R-6.2.11", "H-2")
def test_instances_as_stored_are_the_stored_files(source):
    one, two = instance(1), instance(2, series="2")
    files = source.made.store(one, two)
    answer = send(source.client(), asked(whole(one), whole(two)))
    assert status(answer) == SUCCESS
    assert answer.action == "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
    assert answer.relates_to == answer.message_id
    assert list(documents(answer).values()) == files
    for response in answer.body.findall("xds:DocumentResponse", NAMES):
        assert response.findtext("xds:mimeType", "", NAMES) == "application/dicom"
        assert response.findtext("xds:RepositoryUniqueId", "", NAMES) == SOURCE
    names = [etree.QName(child).localname for child in answer.body[1]]
    assert names == ["RepositoryUniqueId", "DocumentUniqueId", "mimeType", "Document"]


@pytest.mark.tender("R-6.3.4")
def test_instances_have_their_corrected_headers(source):
    one, other = instance(1), instance(1, study="B")
    files = source.made.store(one, other)
    correct(source.made.house.facts, source.made.index, stable("A"))
    for syntax in (EXPLICIT, IMPLICIT):
        answer = send(source.client(), asked(whole(one), whole(other), syntaxes=(syntax,)))
        assert status(answer) == SUCCESS
        corrected, untouched = documents(answer).values()
        ds = pydicom.dcmread(io.BytesIO(corrected))
        assert (str(ds.PatientName), ds.PatientID) == ("Li^Si=李^四", "RIGHT-1")
        assert ds.file_meta.TransferSyntaxUID == syntax
        assert ds.PixelData == one.PixelData
        if syntax == EXPLICIT:
            assert untouched == files[1]


def test_i1_the_first_syntax_that_can_be_had_is_given(source):
    one, two = instance(1, size=32), instance(2, size=32)
    source.made.store(one, two)
    sops = (one.SOPInstanceUID, two.SOPInstanceUID)
    for wanted, given in (
        ((IMPLICIT,), IMPLICIT),
        ((J2K, IMPLICIT, EXPLICIT), EXPLICIT),  # as stored, though not first
        ((HTJ2K, "1.2.840.10008.1.2.5", IMPLICIT), "1.2.840.10008.1.2.5"),
        ((J2K, IMPLICIT), J2K),
        (("1.2.840.10008.1.2.1.99",), "1.2.840.10008.1.2.1.99"),
        ((JPEG_LS,), JPEG_LS),
    ):
        answer = send(source.client(), asked((*A, sops), syntaxes=wanted))
        assert status(answer) == SUCCESS, answer.text()
        for sent, got in zip((one, two), documents(answer).values(), strict=True):
            theirs = pydicom.dcmread(io.BytesIO(got))
            assert theirs.file_meta.TransferSyntaxUID == given
            assert theirs.SOPInstanceUID == sent.SOPInstanceUID
            assert np.array_equal(theirs.pixel_array, sent.pixel_array)


def test_i1_a_compressed_instance_is_decompressed(source):
    theirs = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm"))
    source.made.store(theirs)
    answer = send(source.client(), asked(whole(theirs), syntaxes=(JPEG_LS, EXPLICIT)))
    (got,) = documents(answer).values()
    read = pydicom.dcmread(io.BytesIO(got))
    assert read.file_meta.TransferSyntaxUID == JPEG_LS
    assert np.array_equal(read.pixel_array, theirs.pixel_array)


def test_i1_what_is_impossible_has_its_error_and_the_others_go_on(source):
    one = instance(1)
    structured = instance(2, PixelData=None, Rows=None, Columns=None)
    source.made.store(one, structured)
    sops = (one.SOPInstanceUID, structured.SOPInstanceUID)
    answer = send(source.client(), asked((*A, sops), syntaxes=(JPEG_LS,)))
    assert status(answer) == PARTIAL
    assert list(documents(answer)) == [one.SOPInstanceUID]
    assert errors(answer) == ["XDSRepositoryError"]
    context = answer.body.find(".//rs:RegistryError", NAMES).get("codeContext")
    assert structured.SOPInstanceUID in context
    assert JPEG_LS in context


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (asked((*A, (stable("A", "1", 1),)), repository="1.2.3"), "XDSUnknownRepositoryId"),
        (asked((*A, (stable("A", "1", 1),)), repository=""), "XDSUnknownRepositoryId"),
        (asked((*A, ("1.2.3.4",))), "XDSDocumentUniqueIdError"),
        (asked((*A, ("",))), "XDSDocumentUniqueIdError"),
        (asked((A[0], stable("A", "9"), (stable("A", "1", 1),))), "XDSDocumentUniqueIdError"),
        (asked((stable("B"), A[1], (stable("A", "1", 1),))), "XDSDocumentUniqueIdError"),
        (asked(("", A[1], (stable("A", "1", 1),))), "XDSIRequestError"),
        (asked((A[0], "", (stable("A", "1", 1),))), "XDSIRequestError"),
        (asked(("", " ", (stable("A", "1", 1),))), "XDSIRequestError"),
        (asked((*A, ())), "XDSIRequestError"),
        (asked(), "XDSIRequestError"),
        (asked((*A, (stable("A", "1", 1),)), syntaxes=("",)), "XDSRepositoryError"),
        (asked((*A, (stable("A", "1", 1),)), syntaxes=()), "XDSRepositoryError"),
        (
            asked((*A, (stable("A", "1", 1),)), syntaxes=("1.2.840.10008.1.2.1.999",)),
            "XDSRepositoryError",
        ),
    ],
)
@pytest.mark.parametrize("source", ["sqlite"], indirect=True)
def test_i2_each_exception_is_a_failure_with_its_code(source, body, code):
    source.made.store(instance(1), instance(1, study="B"))
    answer = send(source.client(), body)
    assert answer.http_status == 200
    assert status(answer) == FAILURE
    assert errors(answer) == [code]
    assert answer.parts == {}
    assert answer.action == "urn:ihe:iti:2007:RetrieveDocumentSetResponse"
    (failed,) = [a for a in source.accesses() if a.transaction == "RAD-69"]
    assert failed.outcome == "failed"


def test_i2_one_bad_study_does_not_spoil_the_others(source):
    one = instance(1)
    source.made.store(one)
    answer = send(source.client(), asked(("", A[1], ("1.2.3",)), whole(one)))
    assert status(answer) == PARTIAL
    assert errors(answer) == ["XDSIRequestError"]
    assert list(documents(answer)) == [one.SOPInstanceUID]


def test_i2_another_message_is_a_fault(source):
    answer = send(source.client(), "<r:Other xmlns:r='urn:ihe:rad:xdsi-b:2009'/>")
    assert answer.is_fault


def test_prefixes_white_space_and_double_requests_do_not_matter():
    body = etree.fromstring(
        """<RetrieveImagingDocumentSetRequest xmlns="urn:ihe:rad:xdsi-b:2009"><!-- c -->
        <StudyRequest studyInstanceUID=" 1.2 "> <SeriesRequest seriesInstanceUID="1.3">
        <a:DocumentRequest xmlns:a="urn:ihe:iti:xds-b:2007">
          <a:HomeCommunityId>urn:oid:1.9</a:HomeCommunityId>
          <a:RepositoryUniqueId> 1.5
          </a:RepositoryUniqueId><a:DocumentUniqueId>
          1.4</a:DocumentUniqueId></a:DocumentRequest>
        <DocumentRequest><HomeCommunityId>urn:oid:1.9</HomeCommunityId><RepositoryUniqueId>1.5
        </RepositoryUniqueId><DocumentUniqueId>1.4</DocumentUniqueId></DocumentRequest>
        </SeriesRequest></StudyRequest>
        <TransferSyntaxUIDList><TransferSyntaxUID> 1.2.840.10008.1.2 </TransferSyntaxUID>
        <TransferSyntaxUID/></TransferSyntaxUIDList></RetrieveImagingDocumentSetRequest>"""
    )
    found = imaging_request(body)
    (one,) = found.instances
    assert (one.study_uid, one.series_uid, one.sop_uid) == ("1.2", "1.3", "1.4")
    assert (one.repository_unique_id, one.home_community_id) == ("1.5", "urn:oid:1.9")
    assert found.transfer_syntaxes == ("1.2.840.10008.1.2",)
    assert not found.problems


def test_access_is_recorded_by_study_before_anything_goes_out(source):
    one, other = instance(1), instance(1, study="B")
    source.made.store(one, other)
    send(source.client(), asked(whole(one), whole(other), (*A, ("1.2.3",))))
    given, failed = [a for a in source.accesses() if a.transaction == "RAD-69"]
    assert (given.outcome, given.count) == ("success", 2)
    assert set(given.study_uids) == {stable("A"), stable("B")}
    assert len(given.patient_keys) == 2
    assert (failed.outcome, failed.count, failed.detail) == ("failed", 1, "document_unknown")


def test_who_may_not_retrieve_learns_nothing(source):
    one = instance(1)
    source.made.store(one)
    answer = send(source.client("audit_admin"), asked(whole(one)))
    assert errors(answer) == ["XDSDocumentUniqueIdError"]
    outcomes = [a.outcome for a in source.accesses() if a.transaction == "RAD-69"]
    assert outcomes == ["denied", "failed"]


def test_what_was_transcoded_leaves_nothing_behind(source):
    many = [instance(n, size=256) for n in range(1, 41)]
    source.made.store(*many)
    sops = [one.SOPInstanceUID for one in many]
    answer = send(source.client(), asked((*A, sops), syntaxes=(IMPLICIT,)))
    assert len(documents(answer)) == 40
    incoming = source.folder / "blobs" / "incoming"
    deadline = time.monotonic() + 5
    while (left := _files(incoming)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def _files(folder):
    return [p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"]


def test_the_wsdl_and_its_schemas_are_served(source):
    import httpx  # noqa: PLC0415 - only here

    wsdl = httpx.get(f"{source.base}/xds/imaging?wsdl").text
    assert f"{source.base}/xds/imaging?xsd=xdsi-b.xsd" in wsdl
    assert RAD69 in wsdl
    schema = httpx.get(f"{source.base}/xds/imaging?xsd=xdsi-b.xsd")
    assert "TransferSyntaxUIDList" in schema.text
    assert "xsd=xds-b.xsd" in schema.text


def test_the_schema_takes_our_requests_and_zeep_reads_the_wsdl(source):
    import zeep  # noqa: PLC0415 - heavy

    schema = etree.XMLSchema(etree.parse(str(schemas.path("xds/xdsi-b.xsd"))))
    schema.assertValid(etree.fromstring(asked((*A, ("1.2.3",)))))
    assert not schema.validate(etree.fromstring(asked()))
    client = zeep.Client(f"{source.base}/xds/imaging?wsdl")
    made = client.create_message(
        client.service,
        "ImagingDocumentSource_RetrieveImagingDocumentSet",
        StudyRequest=[{
            "studyInstanceUID": "1.2",
            "SeriesRequest": [{
                "seriesInstanceUID": "1.3",
                "DocumentRequest": [{"RepositoryUniqueId": SOURCE, "DocumentUniqueId": "1.4"}],
            }],
        }],
        TransferSyntaxUIDList={"TransferSyntaxUID": [EXPLICIT]},
    )  # fmt: skip
    body = made.find(".//{urn:ihe:rad:xdsi-b:2009}RetrieveImagingDocumentSetRequest")
    (one,) = imaging_request(body).instances
    assert (one.study_uid, one.series_uid, one.sop_uid) == ("1.2", "1.3", "1.4")
    assert one.repository_unique_id == SOURCE
