"""A modality sends a folder; a minute later a doctor looks at the picture in a browser.

The first promise of the product, through C-STORE, the portal's API and a real Chromium.
"""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support import ct, modality
from tests.support.browser import Page, browser
from tests.support.running import RunningPianku

_LISTED_WITHIN_SECONDS = 5


@pytest.fixture
def sent(pianku: RunningPianku, tmp_path: Path) -> ct.Series:
    series = ct.Series(patient_id=f"W{time.monotonic_ns()}", description="First image")
    ct.write(tmp_path / "ct", series, 24, size=256)
    modality.store(pianku.node, [tmp_path / "ct"])
    return series


@pytest.mark.peer("dcmtk")
@pytest.mark.tender("R-6.2.4.2", "N-6")
def test_a_sent_folder_is_on_the_list_within_five_seconds(
    pianku: RunningPianku, sent: ct.Series
) -> None:
    row = listed(pianku, sent)

    assert row["study_uid"] == sent.study_uid
    assert row["instance_count"] == 24
    assert row["modalities"] == ["CT"]
    assert row["accession_number"] == sent.accession
    assert (
        row["patient_name"] == sent.patient_name.replace("^", " ") or "Walk" in row["patient_name"]
    )


@pytest.mark.peer("dcmtk", "chromium")
@pytest.mark.tender("R-6.1.4.1")
@pytest.mark.tender("R-6.1.1.0")
def test_the_doctor_signs_in_finds_the_study_and_sees_its_image(
    pianku: RunningPianku, sent: ct.Series, tmp_path: Path
) -> None:
    listed(pianku, sent)
    with browser() as page:
        sign_in(page, pianku)
        page.wait(f"document.body.innerText.includes('{sent.patient_id}')")

        page.goto(f"{pianku.http}/studies/{sent.study_uid}")
        page.wait("document.querySelector('[data-testid=canvas]')?.dataset.phase === 'shown'")
        left, top, right, bottom = page.box("[data-testid=canvas] canvas, canvas")
        picture = page.wait_for(
            lambda: looks_like_a_slice(
                page.screenshot(tmp_path / "study.png")[top:bottom, left:right]
            ),
            "a picture on the canvas",
        )

        assert picture
        assert not page.console
        assert not [told for told in page.failed_requests if "/api/v1/session" not in told]


def listed(pianku: RunningPianku, series: ct.Series) -> dict[str, object]:
    """Ask the portal's list until the study is there; fails after five seconds."""
    began = time.monotonic()
    while time.monotonic() - began < _LISTED_WITHIN_SECONDS:
        answer = httpx.post(
            f"{pianku.http}/api/v1/studies/search",
            json={"patient_id": series.patient_id, "offset": 0, "limit": 10},
            headers=pianku.token("clinician"),
        )
        assert answer.status_code == 200, answer.text
        if items := answer.json()["items"]:
            row: dict[str, object] = items[0]
            return row
        time.sleep(0.1)
    raise AssertionError("the study is not on the list after five seconds")


def sign_in(page: Page, pianku: RunningPianku) -> None:
    """Sign in as the demo's clinician, by keyboard."""
    account = next(a for a in pianku.demo["accounts"] if a["role"] == "clinician")
    page.goto(f"{pianku.http}/")
    page.type_into("input[autocomplete=username]", account["user"])
    page.type_into("input[autocomplete=current-password]", account["password"])
    page.press_enter()
    page.wait("location.pathname === '/'")


def looks_like_a_slice(pixels: np.ndarray) -> bool:
    """Whether there is a bright body on a dark ground, and not one colour or a message."""
    grey = pixels.astype(np.float32).mean(axis=2)
    middle = grey[
        grey.shape[0] // 3 : -grey.shape[0] // 3, grey.shape[1] // 3 : -grey.shape[1] // 3
    ]
    dark, bright = (grey < 16).mean(), (grey > 60).mean()
    return bool(dark > 0.1 and bright > 0.1 and middle.mean() > 50 and grey.std() > 20)
