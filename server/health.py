"""Readiness and numbers: ledgers writable, views not behind, storage reachable.

Design C (server/health.py); called by `/readyz`, `/metrics` and `pianku doctor`. No personal data.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kernel.ledger.ports import Ledger
from kernel.refusals import Refusal
from projections.runner import Lag, Runner

_BEHIND_EVENTS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    good: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was looked at."""

    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """Tell whether requests can be answered."""
        return all(finding.good for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "ready": self.ready,
            "checks": [{"name": f.name, "good": f.good, "detail": f.detail} for f in self.findings],
        }


class Health:
    """Looks at ledgers, views and the hot tier of one installation."""

    def __init__(
        self, ledgers: Mapping[str, Ledger], runner: Runner, storage: Path, *, reserve_mib: int = 64
    ) -> None:
        self._ledgers = ledgers
        self._runner = runner
        self._storage = storage
        self._reserve_mib = reserve_mib

    def report(self) -> Report:
        """Return what is found now."""
        findings = [self._ledger(name, ledger) for name, ledger in self._ledgers.items()]
        if all(finding.good for finding in findings):
            findings += [_view(lag) for lag in self._runner.lags()]
        findings.append(self._space())
        return Report(tuple(findings))

    def _ledger(self, name: str, ledger: Ledger) -> Finding:
        try:
            return Finding(f"ledger {name}", True, f"{ledger.head()} events")
        except Refusal as refusal:
            return Finding(f"ledger {name}", False, refusal.code)

    def _space(self) -> Finding:
        try:
            free = shutil.disk_usage(self._storage).free >> 20
        except OSError as problem:
            return Finding("storage", False, problem.strerror or "unreachable")
        return Finding("storage", free >= self._reserve_mib, f"{free} MiB free")

    def metrics(self) -> str:
        """Return the numbers in the Prometheus text format."""
        lines = ["# TYPE pianku_ledger_events gauge"]
        lines += [
            f'pianku_ledger_events{{ledger="{name}"}} {ledger.head()}'
            for name, ledger in self._ledgers.items()
        ]
        lags = self._runner.lags()
        lines.append("# TYPE pianku_view_lag_events gauge")
        lines += [
            f'pianku_view_lag_events{{view="{lag.view}",generation="{lag.generation}"}} '
            f"{lag.lag_events}"
            for lag in lags
        ]
        lines.append("# TYPE pianku_view_stopped gauge")
        lines += [
            f'pianku_view_stopped{{view="{lag.view}",generation="{lag.generation}"}} '
            f"{int(lag.state == 'stopped')}"
            for lag in lags
        ]
        return "\n".join(lines) + "\n"


def _view(lag: Lag) -> Finding:
    detail = f"{lag.state}, {lag.lag_events} events behind"
    if lag.error:
        detail += f"; stopped at {lag.error_position}: {lag.error}"
    return Finding(
        f"view {lag.view}", lag.state != "stopped" and lag.lag_events < _BEHIND_EVENTS, detail
    )
