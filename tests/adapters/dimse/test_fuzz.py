"""Kept seeds of damaged data sets and conversations; ten thousand more in tests/soak."""

import pytest

from tests.support.bad_input import target
from tests.support.fuzzing import hold_conversations, store_files


@pytest.fixture(scope="module")
def archive_(tmp_path_factory):
    with target(tmp_path_factory.mktemp("fuzz")) as found:
        yield found


def test_damaged_data_sets_are_stored_as_they_are_or_refused(archive_):
    stored = store_files(archive_, range(150), look=3)

    assert 30 < stored < 145, "damage that always or never matters proves nothing"


def test_damaged_conversations_end_and_harm_nobody(archive_):
    hold_conversations(archive_, range(90))
