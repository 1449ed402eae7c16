"""OHIF 3.13.2, as its makers ship it, shows our images from another origin with a token.

PS3.18 10.4, 10.6 and CORS, with the eyes of a doctor: the picture on the canvas is looked at.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ct, modality, ohif
from tests.support.browser import browser
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


def _a_picture(pixels: object) -> bool:
    """Whether there are many greys on the dark ground."""
    import numpy as np  # noqa: PLC0415 - only where there is a browser

    grey = np.asarray(pixels, dtype=np.float32).mean(axis=2)
    return bool((grey > 60).mean() > 0.1 and len(np.unique(grey.round())) > 40)
