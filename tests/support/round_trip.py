"""Instances that go from a peer to Pianku and on to a peer, by each protocol.

PS3.4 B and C by dcmtk and Orthanc, PS3.18 10.4 and 10.5 by an HTTP client.
Called by the round-trip walks and the soak proof.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import httpx

from tests.support import dicom_corpus, modality
from tests.support.dicom_corpus import Sample
from tests.support.orthanc import Orthanc
from tests.support.running import RunningPianku

_J: Final = "1.2.840.10008.1.2.4."
STORESCU: Final = {
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.5": "-xr",
    _J + "50": "-xy",
    _J + "51": "-xx",
    _J + "70": "-xs",
    _J + "80": "-xt",
    _J + "81": "-xu",
    _J + "90": "-xv",
    _J + "91": "-xw",
    _J + "100": "-xm",
    _J + "101": "-xh",
    _J + "102": "-xn",
    _J + "103": "-xl",
    _J + "104": "-x2",
    _J + "107": "-x4",
    _J + "108": "-x5",
}
"""dcmtk's option that makes storescu propose a transfer syntax; it knows no other."""
UNREADABLE: Final = frozenset(("rtdose_rle.dcm", "rtdose_rle_1frame.dcm", "explicit_VR-UN.dcm"))
"""Files in which dcmtk, and Orthanc which is made of it, find no SOP class: none goes out."""
YOUNGER: Final = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{end}"
    for end in ("6.3", "9.1.4", "77.1.8", "77.1.9", "481.23", "481.24")
)
"""SOP classes that dcmtk 3.6.7 does not send; Orthanc takes them when it is told to."""
HTJ2K: Final = frozenset(_J + number for number in ("201", "202", "203"))
"""Younger than the peers' toolkit."""


EVERYTHING: Final = {"UnknownSopClassAccepted": True}
"""Orthanc's setting that makes it take SOP classes its toolkit does not know."""


def readable(samples: Sequence[Sample]) -> list[Sample]:
    """Return what a peer made of dcmtk can send."""
    return [
        one for one in samples if one.name not in UNREADABLE and one.transfer_syntax not in HTJ2K
    ]


def sendable(samples: Sequence[Sample]) -> list[Sample]:
    """Return what storescu can send: less than Orthanc."""
    return [
        one
        for one in readable(samples)
        if one.transfer_syntax in STORESCU and one.sop_class not in YOUNGER
    ]


def by_dcmtk(pianku: RunningPianku, samples: Sequence[Sample], folder: Path) -> dict[str, str]:
    """Send by storescu, have it moved to storescp; return what is wrong, by name of the sample."""
    said = {}
    for syntax, some in dicom_corpus.by_syntax(samples).items():
        for number, few in enumerate(_associations(some)):
            files = dicom_corpus.write(few, folder / f"{syntax}-{number}")
            done = modality.store(
                pianku.node, files, options=["-R", "-nh", STORESCU[syntax]], check=False,
                timeout=600,
            )  # fmt: skip
            if done.returncode:
                said[syntax] = done.stdout[-400:]
    with modality.receiver("ROUNDTRIP") as receiver:
        pianku.allow_destination("ROUNDTRIP", receiver.node.port)
        for study in dict.fromkeys(one.study_uid for one in samples):
            modality.move(
                pianku.node, ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={study}"], "ROUNDTRIP"
            )
        got = modality.by_uid([p for p in receiver.folder.iterdir() if p.is_file()])
        octets = {uid: Path(dataset.filename).read_bytes() for uid, dataset in got.items()}
    return {**said, **compared(samples, octets)}


def _associations(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """Divide what storescu proposes: an association has room for 128 contexts (PS3.8 9.3.2.2)."""
    ordered = sorted(samples, key=lambda one: one.sop_class)
    classes = list(dict.fromkeys(one.sop_class for one in ordered))
    for start in range(0, len(classes), 50):
        some = frozenset(classes[start : start + 50])
        yield [one for one in ordered if one.sop_class in some]


def by_orthanc(
    pianku: RunningPianku, archive: Orthanc, samples: Sequence[Sample]
) -> dict[str, str]:
    """Send from Orthanc, empty it, move back into it; return what is wrong by sample."""
    for one in samples:
        request = urllib.request.Request(f"{archive.rest}/instances", data=one.octets)
        with urllib.request.urlopen(request, timeout=60):
            pass
    archive.knows("pianku", "PIANKU", pianku.dimse_port)
    pianku.allow_destination(archive.ae_title, archive.dimse_port)
    before = orthanc_files(archive)
    for study in archive.call("/studies"):
        archive.call("/modalities/pianku/store", {"Resources": [study], "Permissive": True})
    for study in archive.call("/studies"):
        archive.call(f"/studies/{study}", method="DELETE")
    for study in dict.fromkeys(one.study_uid for one in samples):
        archive.call(
            "/modalities/pianku/move",
            {
                "Level": "Study",
                "Resources": [{"StudyInstanceUID": study}],
                "TargetAet": archive.ae_title,
                "Permissive": True,
            },
        )
    missing = {one.name: "Orthanc did not take it" for one in samples if one.sop_uid not in before}
    return {**missing, **compared(samples, orthanc_files(archive))}


def by_orthanc_web(
    pianku: RunningPianku, archive: Orthanc, samples: Sequence[Sample]
) -> dict[str, str]:
    """Send by Orthanc's DICOMweb client, empty it, fetch back by the same; tell what is wrong."""
    server = {"Url": f"{pianku.http}/dicom-web/", "HttpHeaders": pianku.token("system")}
    archive.call("/dicom-web/servers/pianku", server, method="PUT")
    for one in samples:
        request = urllib.request.Request(f"{archive.rest}/instances", data=one.octets)
        with urllib.request.urlopen(request, timeout=60):
            pass
    # All at once: a job of Orthanc takes a second, however little it does.
    held = archive.call("/studies")
    archive.call("/dicom-web/servers/pianku/stow", {"Resources": held, "Synchronous": True})
    for study in archive.call("/studies"):
        archive.call(f"/studies/{study}", method="DELETE")
    wanted = [{"Study": study} for study in dict.fromkeys(one.study_uid for one in samples)]
    archive.call("/dicom-web/servers/pianku/retrieve", {"Resources": wanted, "Synchronous": True})
    return compared(samples, orthanc_files(archive))


def orthanc_files(archive: Orthanc) -> dict[str, bytes]:
    """Return the files an Orthanc holds by SOP Instance UID."""
    found = {}
    for instance in archive.call("/instances?expand") or ():
        with urllib.request.urlopen(
            f"{archive.rest}/instances/{instance['ID']}/file", timeout=60
        ) as answer:
            found[instance["MainDicomTags"]["SOPInstanceUID"]] = answer.read()
    return found


def by_web(pianku: RunningPianku, samples: Sequence[Sample]) -> dict[str, str]:
    """Store by STOW-RS, retrieve by WADO-RS; return what is not the same octets by sample."""
    wrong = {}
    with httpx.Client(
        base_url=f"{pianku.http}/dicom-web", headers=pianku.token("system"), timeout=60
    ) as web:
        for one in samples:
            stored = web.post(
                "/studies", content=one.octets, headers={"Content-Type": "application/dicom"}
            )
            if stored.status_code != 200:
                wrong[one.name] = f"{stored.status_code} {stored.text[:200]}"
                continue
            url = stored.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
            got = web.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"})
            if got.content != one.octets:
                wrong[one.name] = f"{got.status_code}, {len(got.content)} octets"
    return wrong


def compared(samples: Sequence[Sample], octets: dict[str, bytes]) -> dict[str, str]:
    """Return where the files that came back are not what was sent, by name of the sample."""
    wrong = {}
    for one in samples:
        if one.sop_uid not in octets:
            wrong[one.name] = "did not come back"
            continue
        told = dicom_corpus.compared_files(one.octets, octets[one.sop_uid])
        if told:
            wrong[one.name] = "; ".join(told)[:400]
    return wrong
