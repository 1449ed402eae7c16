"""The example messages of docs/integrate/examples, sent as their page says, all succeed."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from tests.support.running import ROOT, RunningPianku

EXAMPLES = ROOT / "docs" / "integrate" / "examples"
MESSAGES = sorted(p.name for p in EXAMPLES.iterdir() if p.name[0].isdigit())


def said(pianku: RunningPianku, message: str, run: str) -> str:
    command = [sys.executable, "send.py", str(pianku.data / "demo.json"), message, run]
    done = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{message}: {done.stderr}"
    return done.stdout


@pytest.mark.tender("R-6.2.11")
def test_the_examples_tell_their_story(pianku: RunningPianku) -> None:
    run = str(random.SystemRandom().randrange(10**11, 10**12))
    answers = {message[:2]: said(pianku, message, run) for message in MESSAGES}

    assert len(answers) == len(MESSAGES) >= 15
    assert f"MSA|AA|EX{run}" in answers["01"]
    assert '<typeCode code="CA"/>' in answers["02"]
    for number in ("03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13"):
        assert "ResponseStatusType:Success" in answers[number], answers[number][:3000]
    assert answers["05"].count("<rim:ExtrinsicObject") == 2
    assert answers["06"].count("<rim:ObjectRef") == 2
    assert "检查所见" in answers["08"]
    assert "SubscriptionReference" in answers["14"]
    assert f'extension="EY{run}"' in answers["15"]


def test_the_script_has_no_more_than_the_lines_it_promises() -> None:
    statements = [
        line for line in (EXAMPLES / "send.py").read_text("utf-8").splitlines()
        if line.strip() and not line.startswith(('"""', "import"))
    ]  # fmt: skip
    assert len(statements) <= 14
