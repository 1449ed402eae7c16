"""Pages that are made from the code: run this file to write them; a test compares them.

settings, commands, events, refusals, the conformance statement, the tender's rows and the OpenAPI description.
"""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import click  # noqa: E402
import msgspec  # noqa: E402

from kernel.refusals import Refusal  # noqa: E402
from server.settings import Settings  # noqa: E402

_NOTE = "<!-- made from the code by tests/support/generated.py -->\n"
_ROOMS = (
    "adapters",
    "kernel",
    "projections",
    "registry",
    "repository",
    "schemas",
    "server",
    "workflows",
)
_HELP: dict[str, Any] = {"terminal_width": 100, "help_option_names": ["-h", "--help"]}
_SETTINGS = (
    "A TOML file (`--config FILE`), overlaid by the environment, overlaid by flags. `http.port` is"
    " `PIANKU_HTTP__PORT` in the environment. An unknown name is an error."
)
_EVENTS = (
    "Every kind of event, its fields and which of them are sealed per patient. The frozen JSON"
    " Schemas are in `schemas/events`."
)
_REFUSALS = "Why Pianku says no; each protocol's `faults.py` tells it in its own words."
_TENDER = (
    "Rows of the tender's requirement matrix that tests prove, wholly or in part. A row that is"
    " not here is not proven yet."
)


def settings_page() -> str:
    lines = [
        _NOTE,
        "# Settings",
        _SETTINGS,
        "",
        "| setting | type | default | meaning |",
        "|---|---|---|---|",
    ]
    lines += _settings_rows(Settings, "")
    return "\n".join(lines) + "\n"


def _settings_rows(struct: type[msgspec.Struct], prefix: str) -> list[str]:
    rows = []
    for field in msgspec.inspect.type_info(struct).fields:  # type: ignore[union-attr]
        if isinstance(field.type, msgspec.inspect.StructType):
            rows += _settings_rows(field.type.cls, f"{prefix}{field.name}.")
            continue
        told = field.type
        description = ""
        if isinstance(told, msgspec.inspect.Metadata):
            description = (told.extra_json_schema or {}).get("description", "")
            told = told.type
        kind = type(told).__name__.removesuffix("Type").lower()
        if isinstance(told, msgspec.inspect.LiteralType):
            kind = " / ".join(str(v) for v in told.values)
        default = json.dumps(field.default) if field.default is not msgspec.NODEFAULT else ""
        rows.append(f"| `{prefix}{field.name}` | {kind} | `{default}` | {description} |")
    return rows


def cli_page() -> str:
    from server.cli.main import main

    lines = [_NOTE, "# Commands", ""]
    lines += _commands(main, click.Context(main, info_name="pianku", **_HELP), 2)
    return "\n".join(lines) + "\n"


def _commands(command: click.Command, context: click.Context, level: int) -> list[str]:
    lines = [
        f"{'#' * level} `{context.command_path}`",
        "",
        "```text",
        command.get_help(context),
        "```",
        "",
    ]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                child = click.Context(inner, info_name=name, parent=context, **_HELP)
                lines += _commands(inner, child, min(level + 1, 4))
    return lines


def events_page() -> str:
    from server.event_catalogue import facts

    lines = [_NOTE, "# Events", _EVENTS, ""]
    for fact in facts():
        lines += [
            f"## `{fact.TOPIC}`",
            (fact.__doc__ or "").strip().split("\n")[0],
            "",
            "| field | sealed |",
            "|---|---|",
        ]
        for field in msgspec.structs.fields(fact):
            lines.append(f"| `{field.name}` | {'yes' if field.name in fact.PERSONAL else ''} |")
        lines.append("")
    return "\n".join(lines)


def refusals_page() -> str:
    for room in _ROOMS:  # every module is imported, so that every refusal is known
        for found in pkgutil.walk_packages([str(ROOT / room)], f"{room}."):
            importlib.import_module(found.name)

    lines = [_NOTE, "# Refusals", _REFUSALS, "", "| code | branch | meaning |", "|---|---|---|"]
    for refusal in sorted(_all(Refusal), key=lambda r: (r.code, r.__name__)):
        if refusal.__module__.split(".")[0] not in _ROOMS or refusal is Refusal:
            continue
        branch = next(b.__name__ for b in refusal.__mro__ if b.__base__ is Refusal)
        meaning = " ".join((refusal.__doc__ or "").split())
        lines.append(f"| `{refusal.code}` | {branch} | {meaning} |")
    return "\n".join(lines) + "\n"


def _all(root: type[Refusal]) -> set[type[Refusal]]:
    return {root}.union(*(_all(child) for child in root.__subclasses__()))


def tender_page() -> str:
    """Requirement row -> the tests that prove it, read from the marks in the test files."""
    rows: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for row in _marks(node.decorator_list):
                rows.setdefault(row, []).append(f"`{path.relative_to(ROOT)}::{node.name}`")
        for row in _module_marks(ast.parse(path.read_text(encoding="utf-8"))):
            rows.setdefault(row, []).append(f"`{path.relative_to(ROOT)}`")
    lines = [
        _NOTE,
        "# From a requirement to its tests",
        _TENDER,
        "",
        "| row | tests |",
        "|---|---|",
    ]
    lines += [f"| {row} | {'<br>'.join(rows[row])} |" for row in sorted(rows, key=_natural)]
    return "\n".join(lines) + "\n"


def _natural(row: str) -> list[Any]:
    return [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", row)]


def _marks(decorators: list[ast.expr]) -> list[str]:
    return [
        argument.value
        for decorator in decorators
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.tender"
        for argument in decorator.args
        if isinstance(argument, ast.Constant)
    ]


def _module_marks(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            values = node.value.elts if isinstance(node.value, ast.List) else [node.value]
            return _marks(list(values))
    return []


def openapi() -> str:
    from server.http import describe

    return json.dumps(describe(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def conformance_page() -> str:
    from server.conformance import statement

    return _NOTE + statement()


PAGES = {
    "docs/reference/settings.md": settings_page,
    "docs/reference/cli.md": cli_page,
    "docs/reference/events.md": events_page,
    "docs/reference/refusals.md": refusals_page,
    "docs/reference/dicom-conformance.md": conformance_page,
    "docs/tender.md": tender_page,
    "schemas/openapi/pianku.json": openapi,
}
"""Path -> the function that makes its text."""


if __name__ == "__main__":
    for name, make in PAGES.items():
        target = ROOT / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(make(), encoding="utf-8")
