"""Communities and asynchronous answers as settings (ITI TF-1 18; server/communities.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from server.communities import communities, replies
from server.identity import identity_of
from server.settings import BadSettings, Settings, load
from server.wiring import Installation

OTHER = {
    "home_community_oid": "1.2.3.20",
    "query_url": "https://other.example/xca/query",
    "assigning_authority": "1.2.3.21",
}


def told(folder: Path, flags: dict[str, Any] | None = None, *others: dict[str, str]) -> Settings:
    environment = {"PIANKU_COMMUNITIES": json.dumps(others)}
    return load(None, environment, {"data": str(folder), **(flags or {})})


def test_communities_come_from_the_file_and_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "pianku.toml"
    file.write_text('[[communities]]\nhome_community_oid = "1.2.3"\nquery_url = "https://a/q"\n')
    assert load(file, {}, {}).communities[0].query_url == "https://a/q"
    with pytest.raises(BadSettings, match="JSON"):
        load(None, {"PIANKU_COMMUNITIES": "1.2.3"}, {})


def test_a_community_has_the_doors_it_was_given(tmp_path: Path) -> None:
    with Installation(told(tmp_path, {"gateway.query_seconds": 7}, OTHER)) as here:
        made = communities(here)
        assert made.home == f"urn:oid:{here.identity.home_community_oid}"
        one = made.others["urn:oid:1.2.3.20"]
        assert one.query is not None
        assert (one.query.url, one.query.total_seconds) == (OTHER["query_url"], 7)
        assert (one.retrieve, one.imaging) == (None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"home_community_oid": "not an oid"},
        {**OTHER, "query_url": "ftp://other.example/"},
        {**OTHER, "assigning_authority": "x"},
        {**OTHER, "certificate": "no/such/file.pem"},
    ],
)
def test_a_community_that_cannot_be_is_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    with Installation(told(tmp_path, None, wrong)) as here, pytest.raises(BadSettings):
        communities(here)


def test_no_two_communities_have_one_home(tmp_path: Path) -> None:
    ours = told(tmp_path, {"domain.home_community_oid": "1.2.3.20"}, OTHER)
    for settings in (ours, told(tmp_path, None, OTHER, OTHER)):
        with Installation(settings) as here, pytest.raises(BadSettings, match="twice"):
            communities(here)


def test_answers_go_nowhere_unless_a_setting_says_so(tmp_path: Path) -> None:
    with Installation(told(tmp_path)) as here:
        assert replies(here) is None
    with Installation(told(tmp_path, {"gateway.reply_to": "https://a.example/r"})) as here:
        made = replies(here)
        assert made is not None
        assert made.allows("https://a.example/r/1")
        assert not made.allows("https://b.example/r/1")
    settings = told(tmp_path, {"gateway.reply_to": "a.example"})
    with Installation(settings) as here, pytest.raises(BadSettings):
        replies(here)


def test_our_home_is_made_of_our_repository_and_stays(tmp_path: Path) -> None:
    one = identity_of(told(tmp_path, {"domain.repository_oid": "1.2.3"}))
    again = identity_of(told(tmp_path / "other", {"domain.repository_oid": "1.2.3"}))
    assert one.home_community_oid == again.home_community_oid
    assert len(one.home_community_oid) <= 64
    given = identity_of(told(tmp_path, {"domain.home_community_oid": "1.2.9"}))
    assert given.home_community_oid == "1.2.9"
