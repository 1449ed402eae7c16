"""Docs are in step with the code: generated pages, links, the README's map (design C, docs/)."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("generated", ROOT / "tests/support/generated.py")
assert _spec is not None
assert _spec.loader is not None
generated = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generated)

PAGES = sorted(p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("name", generated.PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    path = ROOT / name
    assert path.exists(), "run: python tests/support/generated.py"
    assert path.read_text(encoding="utf-8") == generated.PAGES[name](), (
        "the page is behind the code; run: python tests/support/generated.py"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


def test_the_readme_shows_the_map_and_both_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for room in (
        "viewer-app",
        "adapters",
        "workflows",
        "projections",
        "registry",
        "repository",
        "kernel",
        "schemas",
        "server",
    ):
        assert f"{room}/" in text
    assert "./pianku demo" in text
    assert "./pianku test" in text


def test_every_decision_has_its_parts_and_a_number_of_its_own() -> None:
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert records
    numbers = [re.match(r"(\d{4})-", p.name) for p in records]
    assert all(numbers)
    assert len({m.group(1) for m in numbers if m}) == len(records)
    for record in records:
        text = record.read_text(encoding="utf-8").lower()
        for part in ("context", "decision", "consequence"):
            assert part in text, f"{record.name} tells no {part}"


def test_the_index_lists_every_page_that_is_to_be_read() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for folder in ("concepts", "use", "administer", "operate", "integrate", "internals"):
        for page in (ROOT / "docs" / folder).glob("*.md"):
            assert f"({folder}/{page.name})" in index, page.name
    assert "(integrate/examples/README.md)" in index
