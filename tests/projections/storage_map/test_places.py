"""Where an instance lies by now: from memory only while nothing else was recorded."""

import pytest

from kernel.context import Envelope
from tests.support.archive import instance, octets, open_archive


@pytest.fixture
def archive(tmp_path):
    made = open_archive(tmp_path / "archive")
    yield made
    made.close()


def store(archive, number):
    archive.intake.store(archive.offer(octets(instance(number))), Envelope())


def test_a_place_is_looked_up_again_after_anything_was_recorded(archive, monkeypatch):
    store(archive, 1)
    uid = instance(1).SOPInstanceUID
    storage = archive.views.map
    asked = []
    locate_many = type(storage).locate_many

    def counted(self, uids, **more):
        asked.append(tuple(uids))
        return locate_many(self, uids, **more)

    monkeypatch.setattr(type(storage), "locate_many", counted)
    place = storage.place(uid)
    assert place is not None
    assert storage.place(uid) == place
    assert len(asked) == 1
    store(archive, 2)
    assert storage.place(uid) == place
    assert len(asked) == 2
    assert storage.place("1.2.3") is None
