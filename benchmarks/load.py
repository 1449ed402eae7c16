"""wrk, the HTTP load generator, told what to ask and read back as numbers.

Its Lua script walks through a list of paths, so that no server answers from one cached response.
Called by `benchmarks.retrieve` and `benchmarks.query`.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.measuring import Target, settle
from tests.support.peers import peer, program
from tests.support.running import cpu_seconds

_SCRIPT: Final = """
local asked, turn = {}, 0
function init(args)
  for line in io.lines(args[1]) do asked[#asked + 1] = wrk.format("GET", line) end
end
function request()
  turn = turn % #asked + 1
  return asked[turn]
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"requests": %d, "microseconds": %d, "errors": %d}\\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What came of a load."""

    per_second: float
    cpu_per_1000: float


def load(
    target: Target,
    paths: Sequence[str],
    *,
    connections: int,
    seconds: float,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Ask for the paths in turn; starts from an idle server and leaves an idle one."""
    peer("wrk")
    settle(target)
    address = urlsplit(target.dicomweb)
    with tempfile.TemporaryDirectory(prefix="pianku-wrk-") as folder:
        script, asked = Path(folder) / "ask.lua", Path(folder) / "paths"
        script.write_text(_SCRIPT, encoding="utf-8")
        asked.write_text("".join(f"{address.path}{path}\n" for path in paths), encoding="utf-8")
        command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s",
                   "-s", str(script)]  # fmt: skip
        for name, value in {**target.headers, **(headers or {})}.items():
            command += ["-H", f"{name}: {value}"]
        before = cpu_seconds(target.pids())
        said = subprocess.run(
            [*command, f"http://{address.netloc}/", "--", str(asked)],
            capture_output=True, text=True, check=True, timeout=seconds + 120,
        ).stdout  # fmt: skip
        after = cpu_seconds(target.pids())
    found = [line for line in said.splitlines() if line.startswith("RESULT ")]
    if not found:
        raise RuntimeError(f"wrk said nothing of {target.name}: {said}")
    result = json.loads(found[0].removeprefix("RESULT "))
    if result["errors"]:
        raise RuntimeError(f"{target.name}: {result['errors']} errors of {result['requests']}")
    settle(target)
    asked_for = max(result["requests"], 1)
    return Load(
        per_second=result["requests"] / (result["microseconds"] / 1e6),
        cpu_per_1000=(after - before) * 1000 / asked_for,
    )
