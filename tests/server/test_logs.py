"""Logs tell where and what kind of problem, never its words: they may quote a patient's name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = """
import logging, threading
from projections.database import sqlite_engine
from server.logs import configure
import sqlalchemy as sa
configure()
log = logging.getLogger("pianku.test")
try:
    raise ValueError("WANG^XIAO")
except ValueError:
    log.exception("failed", extra={"correlation": "c1"})
try:
    with sqlite_engine(":memory:", writer=False).connect() as c:
        c.execute(sa.text("SELECT * FROM t WHERE name = :n"), {"n": "WANG^XIAO"})
except sa.exc.SQLAlchemyError as problem:
    log.error("failed: %s", problem)
def work():
    raise KeyError("WANG^XIAO")
thread = threading.Thread(target=work)
thread.start()
thread.join()
raise RuntimeError("WANG^XIAO")
"""


def test_no_words_of_an_exception_reach_the_log() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "WANG" not in done.stderr
    for kind in ("ValueError", "KeyError", "RuntimeError"):
        assert kind in done.stderr
    assert '"correlation": "c1"' in done.stderr
