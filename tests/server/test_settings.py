"""Settings: file, then environment, then flags; an unknown name or a bad value is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.identity import identity_of
from server.settings import BadSettings, load


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "pianku.toml"
    file.write_text('[http]\nport = 1\nhost = "10.0.0.1"\n[dimse]\nport = 2\n')
    told = load(file, {"PIANKU_HTTP__PORT": "3", "PIANKU_DIMSE__PORT": "4"}, {"http.port": 5})
    assert (told.http.port, told.dimse.port, told.http.host) == (5, 4, "10.0.0.1")


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert load(None, {}, {"http.port": None}).http.port == 8080


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"PIANKU_HTTP__PROT": "1"}, "prot"),
        ({"PIANKU_HTTP__PORT": "many"}, "http.port"),
        ({"PIANKU_PROFILE": "castle"}, "profile"),
        ({"PIANKU_DIMSE__AE_TITLE": "A_TITLE_OF_17_CHR"}, "ae_title"),
        ({"PIANKU_HTTP__WORKERS": "0"}, "workers"),
        ({"PIANKU_DATA__DIR": "x"}, "data"),
    ],
)
def test_a_bad_setting_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(BadSettings, match=named):
        load(None, environment, {})


def test_lists_come_from_the_environment_by_commas() -> None:
    told = load(None, {"PIANKU_HTTP__ALLOWED_ORIGINS": "https://a.example, https://b.example"}, {})
    assert told.http.allowed_origins == ("https://a.example", "https://b.example")


def test_a_profile_is_where_the_others_start_from() -> None:
    told = load(None, {}, {"profile": "hospital", "http.workers": 7})
    assert (told.ledger.engine, told.http.workers, told.dimse.receivers) == ("postgresql", 7, 2)


def test_a_secret_comes_from_a_file_only(tmp_path: Path) -> None:
    told = load(None, {}, {"ledger.engine": "postgresql", "ledger.dsn_file": str(tmp_path / "no")})
    with pytest.raises(BadSettings, match="dsn_file"):
        told.dsn()
    with pytest.raises(BadSettings):
        load(None, {"PIANKU_LEDGER__DSN": "postgresql://u:p@h/d"}, {})


def test_an_installation_makes_its_oids_once_and_keeps_them(tmp_path: Path) -> None:
    told = load(None, {}, {"data": str(tmp_path / "d")})
    first = identity_of(told)
    assert identity_of(told) == first
    assert first.repository_oid != first.assigning_authority
    assert first.source_oid == first.repository_oid


def test_nodes_that_share_a_database_share_their_oids(
    tmp_path: Path, postgres_dsn: str, postgres_schema: str
) -> None:
    secret = tmp_path / "dsn"
    secret.write_text(postgres_dsn)
    nodes = [
        load(
            None,
            {},
            {
                "data": str(tmp_path / name),
                "ledger.engine": "postgresql",
                "ledger.dsn_file": str(secret),
                "ledger.schema": postgres_schema,
            },
        )
        for name in ("a", "b")
    ]
    assert identity_of(nodes[0]) == identity_of(nodes[1])


def test_an_oid_that_is_none_is_refused(tmp_path: Path) -> None:
    told = load(
        None,
        {},
        {
            "data": str(tmp_path),
            "domain.repository_oid": "1.2.3",
            "domain.assigning_authority": "not-an-oid",
        },
    )
    with pytest.raises(BadSettings, match="assigning_authority"):
        identity_of(told)
