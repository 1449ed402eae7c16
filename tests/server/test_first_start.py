"""The first start: one administrator, whoever starts first; nothing the second time (design A6)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from server.first_start import FirstAccount, prepare
from server.settings import Settings, load


def settings(directory: Path) -> Settings:
    return load(None, {}, {"data": str(directory)})


def test_the_first_start_makes_one_administrator_and_the_second_none(tmp_path: Path) -> None:
    made = prepare(settings(tmp_path))
    assert isinstance(made, FirstAccount)
    assert len(made.password) == 20
    assert prepare(settings(tmp_path)) is None


def test_nodes_that_start_together_make_one_administrator(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as nodes:
        made = list(nodes.map(lambda _: prepare(settings(tmp_path)), range(3)))
    assert sum(account is not None for account in made) == 1


def test_the_password_stands_nowhere_in_the_data_folder(tmp_path: Path) -> None:
    made = prepare(settings(tmp_path))
    assert made is not None
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert made.password.encode() not in path.read_bytes()
