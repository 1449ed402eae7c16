"""Kept seeds of damaged STOW-RS requests; more in tests/soak."""

import pytest

from tests.support.bad_input import target
from tests.support.fuzzing import post_bodies, post_files


@pytest.fixture(scope="module")
def archive_(tmp_path_factory):
    with target(tmp_path_factory.mktemp("fuzz")) as found:
        yield found


def test_damaged_files_are_stored_as_they_are_or_refused(archive_):
    stored = post_files(archive_, range(5000, 5050), look=3)

    assert 5 < stored < 50


def test_damaged_requests_are_answered(archive_):
    stored = post_bodies(archive_, range(100))

    assert 10 < stored < 90
