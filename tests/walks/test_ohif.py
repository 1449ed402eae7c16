"""OHIF 3.13.2, as its makers ship it, shows our images from another origin with a token.

PS3.18 10.4, 10.6 and CORS, with the eyes of a doctor: the picture on the canvas is looked at.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset

from tests.support import ct, modality, ohif
from tests.support.browser import browser
from tests.support.dicom_studies import generate, part10
from tests.support.peers import free_port
from tests.support.running import RunningPianku

pytestmark = pytest.mark.tender("R-6.2.3.2")


@pytest.mark.peer("chromium", "dcmtk")
@pytest.mark.timeout(600)
def test_ohif_shows_a_study_it_gets_over_dicomweb(tmp_path: Path) -> None:
    ohif.dist()
    port = free_port()
    settings = {"PIANKU_HTTP__ALLOWED_ORIGINS": f"http://127.0.0.1:{port}"}
    series = ct.Series(patient_id="OHIF-1", description="Outside viewer")
    with RunningPianku(settings=settings, flags=("--no-load",)) as pianku:
        ct.write(tmp_path / "ct", series, 12, size=128)
        modality.store(pianku.node, [tmp_path / "ct"])
        token = pianku.token("clinician")["Authorization"].removeprefix("Bearer ")
        with ohif.served(port, f"{pianku.http}/dicom-web") as address, browser() as page:
            page.goto(f"{address}/viewer?StudyInstanceUIDs={series.study_uid}&token={token}")
            page.wait("document.querySelectorAll('canvas').length > 0", 240)
            shot = tmp_path / "ohif.png"
            page.wait_for(
                lambda: _a_picture(page.screenshot(shot)[200:700, 500:1200]),
                "a picture in OHIF's viewport",
                240,
            )
            ours = [told for told in page.failed_requests if f":{pianku.http_port}/" in told]

            assert not ours


@pytest.mark.peer("chromium", "dcmtk")
@pytest.mark.timeout(900)
def test_ohif_lists_scrolls_plays_reads_and_saves_a_measurement(tmp_path: Path) -> None:
    """What a doctor does: list, scrolled CT, cine, SR, PDF, slide, a length saved by STOW-RS."""
    ohif.dist()
    port = free_port()
    settings = {"PIANKU_HTTP__ALLOWED_ORIGINS": f"http://127.0.0.1:{port}"}
    made = {
        "CT": generate("CT", seed=3, count=12),
        **{kind: generate(kind, seed=3) for kind in ("US", "SM", "SR", "PDF")},
    }
    study = {kind: str(some[0].StudyInstanceUID) for kind, some in made.items()}
    with RunningPianku(settings=settings, flags=("--no-load",)) as pianku:
        system = pianku.token("system")
        _store(pianku.http, system, [one for some in made.values() for one in some])
        dicomweb = f"{pianku.http}/dicom-web"
        with ohif.served(port, dicomweb) as address, browser() as page:
            # As a proxy in front of the archive would: the list has no place for a token.
            page.call("Network.setExtraHTTPHeaders", headers=system)
            seen = ohif.Doctor(page, address, tmp_path)

            seen.opens("")
            page.wait_for(lambda: "SCT00000003" in seen.text(), "the study on OHIF's list", 240)

            seen.opens(f"viewer?StudyInstanceUIDs={study['CT']}")
            page.wait_for(lambda: _a_picture(seen.viewport()), "a slice in OHIF", 240)
            page.wait_for(lambda: _a_picture(seen.thumbnail()), "a thumbnail that is not black", 60)
            first = seen.viewport()
            seen.scrolls(4)
            page.wait_for(lambda: (seen.viewport() != first).mean() > 0.05, "another slice", 60)

            seen.measures((700, 450), (820, 520))
            before = _instances(dicomweb, system, study["CT"])
            page.wait_for(lambda: seen.clicks("Create SR"), "OHIF's button for an SR", 60)
            page.wait_for(lambda: seen.clicks("Save"), "OHIF's dialogue", 60)
            page.wait_for(
                lambda: _instances(dicomweb, system, study["CT"]) == before + 1, "the SR", 60
            )

            seen.opens(f"viewer?StudyInstanceUIDs={study['US']}")
            page.wait_for(lambda: _coloured(seen.viewport()), "Doppler in OHIF", 240)
            seen.opens(f"viewer?StudyInstanceUIDs={study['SR']}")
            page.wait_for(lambda: "Finding" in seen.text(), "the report in OHIF", 240)
            seen.opens(f"viewer?StudyInstanceUIDs={study['PDF']}")
            page.wait("!!document.querySelector('object[type=\"application/pdf\"]')", 240)
            seen.opens(f"microscopy?StudyInstanceUIDs={study['SM']}")
            page.wait_for(lambda: _coloured(seen.viewport()), "the slide in OHIF", 240)

            assert not [told for told in page.failed_requests if f":{pianku.http_port}/" in told]


def _store(http: str, token: dict[str, str], datasets: list[Dataset]) -> None:
    parts = b"".join(
        b"--B\r\nContent-Type: application/dicom\r\n\r\n" + part10(one) + b"\r\n"
        for one in datasets
    )
    kind = 'multipart/related; type="application/dicom"; boundary=B'
    answer = httpx.post(
        f"{http}/dicom-web/studies",
        content=parts + b"--B--\r\n",
        headers={**token, "Content-Type": kind},
        timeout=120,
    )
    assert answer.status_code == 200, answer.text[:500]


def _instances(dicomweb: str, token: dict[str, str], study: str) -> int:
    answer = httpx.get(f"{dicomweb}/studies/{study}/instances", headers=token, timeout=30)
    return len(answer.json())


def _coloured(pixels: object) -> bool:
    """Whether there is an area of which the colours are far from grey."""
    import numpy as np  # noqa: PLC0415 - only where there is a browser

    rgb = np.asarray(pixels, dtype=np.float32)
    return bool(((rgb.max(axis=2) - rgb.min(axis=2)) > 40).mean() > 0.01)


def _a_picture(pixels: object) -> bool:
    """Whether there are many greys on the dark ground."""
    import numpy as np  # noqa: PLC0415 - only where there is a browser

    grey = np.asarray(pixels, dtype=np.float32).mean(axis=2)
    return bool((grey > 60).mean() > 0.1 and len(np.unique(grey.round())) > 40)
