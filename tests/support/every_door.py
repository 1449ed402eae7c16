"""What every door of a running installation tells of an instance: whose it is, and where it lies.

Requirements R-6.3.4. Asked are QIDO-RS, C-FIND, WADO-RS, WADO-URI, C-GET, RAD-69, FHIR, the portal
and the manifest by ITI-18 and ITI-43. Called by walks and soak tests.
"""

from __future__ import annotations

import io
import json
import re
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from tests.support import xds
from tests.support.retrieving import get
from tests.support.running import RunningPianku
from tests.support.soap import SoapClient, included

_RAD69 = "urn:ihe:rad:2009:RetrieveImagingDocumentSet"
_ANY_FILE = {"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@dataclass(frozen=True, order=True)
class Told:
    """What a door says of one instance; what it does not tell is None."""

    study_uid: str
    series_uid: str
    patient_id: str | None = None
    name: str | None = None
    accession: str | None = None


Answer = dict[str, Told]
"""By SOP Instance UID."""


class EveryDoor:
    """All doors of an installation, asked for studies."""

    def __init__(self, pianku: RunningPianku) -> None:
        self.pianku = pianku
        self.web = httpx.Client(base_url=pianku.http, headers=pianku.token("system"), timeout=60)
        self.portal = httpx.Client(base_url=pianku.http, headers=pianku.token(), timeout=60)
        self.soap = SoapClient(pianku.http)
        self.authority = pianku.demo["assigning_authority"]

    def close(self) -> None:
        """Close all connections."""
        self.web.close()
        self.portal.close()
        self.soap.close()

    def ask(self, study_uid: str) -> dict[str, Answer]:
        """Return what each door tells of the instances of a study."""
        by_metadata = self.metadata(study_uid)
        return {
            "QIDO-RS": self.qido(study_uid),
            "C-FIND": self.find(study_uid),
            "WADO-RS metadata": by_metadata,
            "WADO-RS": self.files(study_uid),
            "WADO-RS one by one": self.one_by_one(by_metadata),
            "ZIP": self.zipped(study_uid),
            "WADO-URI": self.wado_uri(by_metadata),
            "C-GET": self.get(study_uid),
            "RAD-69": self.rad69(by_metadata),
            "FHIR": self.fhir(study_uid),
            "portal": self.shown(study_uid),
        }

    def qido(self, study_uid: str) -> Answer:
        """Ask at all three levels; counts must be those of what is listed."""
        root = f"/dicom-web/studies/{study_uid}"
        studies = self._json("/dicom-web/studies", StudyInstanceUID=study_uid)
        if not studies:
            assert self._json(f"{root}/instances") == []
            return {}
        (study,) = studies
        series = self._json(f"{root}/series")
        found = self._json(f"{root}/instances", includefield="all")
        assert _value(study, "00201206") == len(series)
        assert _value(study, "00201208") == len(found)
        counts: dict[str, int] = defaultdict(int)
        for one in found:
            counts[_value(one, "0020000E")] += 1
            assert _value(one, "00081190").endswith(
                f"/studies/{study_uid}/series/{_value(one, '0020000E')}"
                f"/instances/{_value(one, '00080018')}"
            )
        assert counts == {_value(o, "0020000E"): _value(o, "00201209") for o in series}
        for one in (*series, *found):
            assert _value(one, "0020000D") == study_uid
        return {
            _value(one, "00080018"): _told_by_json(study | {"0020000E": one["0020000E"]})
            for one in found
        }

    def find(self, study_uid: str) -> Answer:
        """Ask by C-FIND at the study and the image level."""
        asked = {"StudyInstanceUID": study_uid}
        study = self._find("STUDY", asked, "PatientID", "PatientName", "AccessionNumber",
                           "NumberOfStudyRelatedInstances")  # fmt: skip
        images = self._find("IMAGE", asked, "SeriesInstanceUID", "SOPInstanceUID")
        if not study:
            assert not images
            return {}
        assert int(study[0].NumberOfStudyRelatedInstances) == len(images)
        return {
            str(one.SOPInstanceUID): Told(
                str(one.StudyInstanceUID), str(one.SeriesInstanceUID), str(study[0].PatientID),
                str(study[0].PatientName), str(study[0].AccessionNumber),
            )
            for one in images
        }  # fmt: skip

    def metadata(self, study_uid: str) -> Answer:
        """Ask for the metadata of the study; bulk data must lie where they say."""
        told = {}
        for one in self._json(f"/dicom-web/studies/{study_uid}/metadata"):
            for uri in re.findall(r'"BulkDataURI": ?"([^"]+)"', json.dumps(one)):
                assert self.web.get(uri).status_code == 200, uri
            told[_value(one, "00080018")] = _told_by_json(one)
        return told

    def files(self, study_uid: str) -> Answer:
        """Ask for the files of the study."""
        got = self.web.get(f"/dicom-web/studies/{study_uid}", headers=_ANY_FILE)
        if got.status_code == 404:
            return {}
        assert got.status_code == 200, got.text
        boundary = got.headers["content-type"].partition("boundary=")[2].strip('"')
        parts = got.content.split(f"--{boundary}".encode())[1:-1]
        return _told_by_files(part.partition(b"\r\n\r\n")[2][:-2] for part in parts)

    def one_by_one(self, where: Answer) -> Answer:
        """Ask for each file, its metadata, picture and frame where the study says it is."""
        got, accept = [], {"accept": "application/dicom"}
        for uid, told in where.items():
            path = f"/dicom-web/studies/{told.study_uid}/series/{told.series_uid}/instances/{uid}"
            answer = self.web.get(path, headers=accept)
            assert answer.status_code == 200, answer.text
            got.append(answer.content)
            (alone,) = self._json(f"{path}/metadata")
            assert _told_by_json(alone) == told
            for more in ("frames/1", "rendered", "thumbnail"):
                assert self.web.get(f"{path}/{more}").status_code == 200, f"{path}/{more}"
        return _told_by_files(got)

    def is_gone(self, sop_uid: str, was: Told) -> bool:
        """Tell whether an instance is nowhere to be had where it was."""
        path = f"/dicom-web/studies/{was.study_uid}/series/{was.series_uid}/instances/{sop_uid}"
        asked = {"requestType": "WADO", "studyUID": was.study_uid, "objectUID": sop_uid,
                 "seriesUID": was.series_uid, "contentType": "application/dicom"}  # fmt: skip
        answers = [
            self.web.get(path, headers={"accept": "application/dicom"}),
            self.web.get(f"{path}/metadata"),
            self.web.get(f"{path}/rendered"),
            self.web.get("/wado", params=asked),
        ]
        return all(answer.status_code == 404 for answer in answers)

    def zipped(self, study_uid: str) -> Answer:
        """Ask for the study as one ZIP file."""
        path = f"/dicom-web/studies/{study_uid}"
        got = self.web.get(path, headers={"accept": "application/zip"})
        if got.status_code == 404:
            return {}
        with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
            return _told_by_files(archive.read(name) for name in archive.namelist())

    def wado_uri(self, where: Answer) -> Answer:
        """Ask for each file by WADO-URI."""
        got = []
        for uid, told in where.items():
            asked = {"requestType": "WADO", "studyUID": told.study_uid, "objectUID": uid,
                     "seriesUID": told.series_uid, "contentType": "application/dicom"}  # fmt: skip
            answer = self.web.get("/wado", params=asked)
            assert answer.status_code == 200, answer.text
            got.append(answer.content)
        return _told_by_files(got)

    def get(self, study_uid: str) -> Answer:
        """Fetch the study by C-GET."""
        got, _ = get(self.pianku.dimse_port, QueryRetrieveLevel="STUDY", StudyInstanceUID=study_uid)
        return {str(one.SOPInstanceUID): _told_by_file(one) for one in got}

    def rad69(self, where: Answer) -> Answer:
        """Fetch each instance by RAD-69 at the place that the study says."""
        if not where:
            return {}
        repository = self.pianku.demo["repository_oid"]
        requests = "".join(
            f'<StudyRequest studyInstanceUID="{told.study_uid}">'
            f'<SeriesRequest seriesInstanceUID="{told.series_uid}"><x:DocumentRequest>'
            f"<x:RepositoryUniqueId>{repository}</x:RepositoryUniqueId>"
            f"<x:DocumentUniqueId>{uid}</x:DocumentUniqueId></x:DocumentRequest></SeriesRequest>"
            "</StudyRequest>"
            for uid, told in where.items()
        )
        answer = self.soap.call(
            "/xds/imaging", _RAD69,
            '<RetrieveImagingDocumentSetRequest xmlns="urn:ihe:rad:xdsi-b:2009" '
            f'xmlns:x="{xds.XDS}">{requests}<TransferSyntaxUIDList><TransferSyntaxUID>'
            "1.2.840.10008.1.2.1</TransferSyntaxUID></TransferSyntaxUIDList>"
            "</RetrieveImagingDocumentSetRequest>",
        )  # fmt: skip
        parts = answer.body.findall("xds:DocumentResponse", xds.NAMES)
        return _told_by_files(
            included(one.find("xds:Document", xds.NAMES), answer.parts) for one in parts
        )

    def fhir(self, study_uid: str) -> Answer:
        """Read the ImagingStudy and the Patient that it names."""
        got = self.web.get(f"/fhir/r4/ImagingStudy/{study_uid}")
        if got.status_code == 404:
            return {}
        study = got.json()
        whose = self.web.get(f"/fhir/r4/{study['subject']['reference']}").json()
        numbers = {one["value"] for one in whose["identifier"]}
        assert len(numbers) == 1, whose
        accession = [o["value"] for o in study["identifier"] if "type" in o]
        told = {
            instance["uid"]: Told(study_uid, series["uid"], min(numbers), None, *accession)
            for series in study["series"]
            for instance in series["instance"]
        }
        assert len(told) == study["numberOfInstances"]
        return told

    def shown(self, study_uid: str) -> Answer:
        """Read the study as the viewer shows it, and find it in the patient's timeline."""
        got = self.portal.get(f"/api/v1/studies/{study_uid}")
        if got.status_code == 404:
            return {}
        detail = got.json()
        row = detail["study"]
        line = self.portal.get(f"/api/v1/patients/{row['patient_key']}/timeline").json()
        found = self.portal.post("/api/v1/studies/search", json={"patient_id": row["patient_id"]})
        for listed in (line["studies"], found.json()["items"]):
            (again,) = [one for one in listed if one["study_uid"] == study_uid]
            # A study may be published between two looks.
            assert again | {"status": ""} == row | {"status": ""}
        assert sum(one["instance_count"] for one in detail["series"]) == row["instance_count"]
        return {
            one["series_uid"]: Told(
                study_uid, one["series_uid"], row["patient_id"], None, row["accession_number"]
            )
            for one in detail["series"]
        }

    def manifests(self, patient_id: str, study_uid: str) -> list[Dataset]:
        """Return the approved manifests of a study that are registered for a patient."""
        answer = xds.stored_query(self.soap, xds.FIND_DOCUMENTS, {
            "$XDSDocumentEntryPatientId": f"'{patient_id}^^^&{self.authority}&ISO'",
            "$XDSDocumentEntryStatus": f"('{xds.APPROVED}')",
        })  # fmt: skip
        uids = [
            xds.unique_id(one)
            for one in xds.objects(answer)
            if any(study_uid in r for r in xds.slot(one, _REFERENCES))
        ]
        got = xds.retrieve(self.soap, self.pianku.demo["repository_oid"], uids) if uids else {}
        return [pydicom.dcmread(io.BytesIO(octets)) for octets in got.values()]

    def manifest_says(self, told: Answer, *, seconds: float = 40) -> None:
        """Wait until the one manifest of a study says what its images say."""
        first = next(iter(told.values()))
        wanted = {(uid, one.study_uid, one.series_uid) for uid, one in told.items()}
        deadline = time.monotonic() + seconds
        while True:
            found = self.manifests(first.patient_id or "", first.study_uid)
            says = [(_named(one), str(one.PatientID), str(one.PatientName)) for one in found]
            if says == [(wanted, first.patient_id, first.name)]:
                return
            assert time.monotonic() < deadline, (says, first, len(wanted))
            time.sleep(0.5)

    def _json(self, path: str, **asked: str) -> list[dict[str, Any]]:
        got = self.web.get(path, params=asked, headers={"accept": "application/dicom+json"})
        if got.status_code in {204, 404}:
            return []
        assert got.status_code == 200, got.text
        found: list[dict[str, Any]] = got.json()
        return found

    def _find(self, level: str, asked: Mapping[str, str], *keys: str) -> list[Dataset]:
        ae = AE("WORKSTATION")
        ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
        assoc = ae.associate("127.0.0.1", self.pianku.dimse_port, ae_title="PIANKU")
        query = Dataset()
        query.QueryRetrieveLevel = level
        for name in keys:
            setattr(query, name, None)
        for name, value in asked.items():
            setattr(query, name, value)
        answers = list(assoc.send_c_find(query, StudyRootQueryRetrieveInformationModelFind))
        assoc.release()
        return [found for _, found in answers if found is not None]


def disagreements(answers: Mapping[str, Answer]) -> list[str]:
    """Return where doors tell different things of the same study."""
    told = answers["WADO-RS metadata"]
    found = []
    for door, answer in answers.items():
        wanted = {one.series_uid: one for one in told.values()} if door == "portal" else told
        if answer.keys() != wanted.keys():
            found.append(f"{door} tells of others: {sorted(answer.keys() ^ wanted.keys())}")
        for uid in answer.keys() & wanted.keys():
            one, other = answer[uid], wanted[uid]
            if one.name is None:
                other = Told(other.study_uid, other.series_uid, other.patient_id,
                             None, other.accession)  # fmt: skip
            if one != other:
                found.append(f"{door}: {one}, not {other}")
    return found


_REFERENCES = "urn:ihe:iti:xds:2013:referenceIdList"


def _value(one: Mapping[str, Any], tag: str) -> Any:
    return one.get(tag, {}).get("Value", [None])[0]


def _told_by_json(one: Mapping[str, Any]) -> Told:
    name = (_value(one, "00100010") or {}).get("Alphabetic", "")
    return Told(
        _value(one, "0020000D"), _value(one, "0020000E"), _value(one, "00100020") or "", name,
        _value(one, "00080050") or "",
    )  # fmt: skip


def _told_by_file(ds: Dataset) -> Told:
    return Told(
        str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(ds.PatientID),
        str(ds.PatientName), str(ds.AccessionNumber or ""),
    )  # fmt: skip


def _told_by_files(files: Iterable[bytes]) -> Answer:
    read = [pydicom.dcmread(io.BytesIO(one)) for one in files]
    return {str(one.SOPInstanceUID): _told_by_file(one) for one in read}


def _named(manifest: Dataset) -> set[tuple[str, str, str]]:
    return {
        (str(i.ReferencedSOPInstanceUID), str(study.StudyInstanceUID), str(series.SeriesInstanceUID))
        for study in manifest.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for i in series.ReferencedSOPSequence
    }  # fmt: skip
