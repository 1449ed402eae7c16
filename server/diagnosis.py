"""What `pianku doctor` looks at, beyond what readiness asks of a running node.

Design A5 (the volume must be encrypted), F (doctor explains each bad value).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from kernel.refusals import Refusal
from server.health import Finding, Report
from server.settings import Settings
from server.wiring import Installation

_ENCRYPTED: Final = ("crypt", "dm-", "/dev/mapper/")


def diagnose(settings: Settings) -> Report:
    """Return everything found about the installation of `settings`."""
    findings = [_folder(settings.directory), _private(settings.directory / "keys")]
    findings += _tls(settings)
    findings.append(_volume(settings.directory))
    if not settings.directory.is_dir():
        return Report(tuple(findings))  # looking on would make what is not there
    try:
        with Installation(settings) as installation:
            findings += installation.health.report().findings
    except Refusal as refusal:
        findings.append(Finding("installation", False, str(refusal)))
    return Report(tuple(findings))


def _folder(directory: Path) -> Finding:
    if not directory.is_dir():
        return Finding("data folder", False, f"{directory} does not exist: run serve or demo first")
    writable = os.access(directory, os.W_OK)
    return Finding("data folder", writable, str(directory) if writable else "not writable")


def _private(keys: Path) -> Finding:
    if not keys.is_dir():
        return Finding("keys", False, "no keys yet: run serve or demo first")
    open_to_others = [p.name for p in keys.iterdir() if p.is_file() and p.stat().st_mode & 0o077]
    if open_to_others:
        return Finding("keys", False, f"readable by others: {', '.join(sorted(open_to_others))}")
    return Finding("keys", True, "readable by the owner only")


def _tls(settings: Settings) -> list[Finding]:
    http = settings.http
    findings = []
    for name in ("tls_certificate", "tls_key", "client_ca"):
        value = getattr(http, name)
        if value:
            readable = os.access(value, os.R_OK)
            findings.append(
                Finding(f"http.{name}", readable, "readable" if readable else "cannot be read")
            )
    dimse = settings.dimse
    for name in ("tls_certificate", "tls_key", "tls_ca"):
        if value := getattr(dimse, name):
            readable = os.access(value, os.R_OK)
            findings.append(
                Finding(f"dimse.{name}", readable, "readable" if readable else "cannot be read")
            )
    exposed = http.host not in {"127.0.0.1", "::1", "localhost"} and not http.tls_certificate
    findings.append(
        Finding(
            "TLS",
            not exposed,
            "listens beyond this machine without TLS" if exposed else "on, or this machine only",
        )
    )
    return findings


def _volume(directory: Path) -> Finding:
    """Say whether the data folder's device looks encrypted; told, never a reason to refuse."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return Finding("encrypted volume", True, "cannot be told on this system")
    resolved = str(directory.resolve())
    best = max(
        (line.split() for line in mounts if resolved.startswith(line.split()[1])),
        key=lambda fields: len(fields[1]),
        default=["unknown", "/"],
    )
    if any(mark in best[0] for mark in _ENCRYPTED):
        return Finding("encrypted volume", True, f"{best[0]} (a mapped device)")
    return Finding(
        "encrypted volume", True, f"{best[0]} does not look encrypted: see docs/operate/security.md"
    )
