"""compose.yaml: what it names exists, its settings are settings, its commands are commands.

No container engine runs here: this is what can be proven of it without one (design A2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from server.cli.main import main
from server.processes import ROLES
from server.settings import load

ROOT = Path(__file__).resolve().parents[2]
FILE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
OURS = {n: s for n, s in FILE["services"].items() if s.get("command", [""])[0] == "serve"}


def test_every_role_is_a_service() -> None:
    roles = {service["command"][-1] for service in OURS.values()}
    assert roles == set(ROLES)


def test_what_services_name_is_declared() -> None:
    for service in FILE["services"].values():
        for volume in service.get("volumes", ()):
            name = volume.split(":")[0]
            assert name in FILE["volumes"]
        assert set(service.get("secrets", ())) <= set(FILE["secrets"])
        assert set(service.get("depends_on", ())) <= set(FILE["services"])


def test_settings_in_it_are_settings() -> None:
    for service in OURS.values():
        told = {k: "1.2.3" if v.startswith("${") else v for k, v in service["environment"].items()}
        settings = load(None, told, {"profile": "hospital"})
        assert settings.ledger.engine == "postgresql"


def test_commands_in_it_are_commands() -> None:
    for service in OURS.values():
        # click refuses an unknown command or flag
        context = main.make_context("pianku", list(service["command"]), resilient_parsing=True)
        context.close()


def test_the_image_is_built_from_a_file_that_is_there() -> None:
    build = FILE["x-pianku"]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()
