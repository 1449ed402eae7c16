"""Whatever is corrected, moved, fed and stored in whatever order: views agree, live and made anew."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from kernel.refusals import Refusal
from registry.patients.values import Told
from tests.support.archive import instance, open_archive, stable
from tests.support.rebuilding import anew, live
from tests.workflows.test_correct_studies import WHY, House, pid
from workflows.correct_studies import AskedMove

PATIENTS = ("PAT-1", "PAT-2", "PAT-3")
STUDIES = ("A", "B", "C", "D")
STEPS = 35


class Acts:
    """Does one random thing after the other; what is refused changes nothing."""

    def __init__(self, house: House, seed: int) -> None:
        self.house, self.random = house, random.Random(seed)
        self.known = [stable(study) for study in STUDIES]
        self.stored: set[tuple[str, str, int]] = set()
        self.merged: set[str] = set()

    def step(self) -> str:
        act = self.random.choice(
            (self.store, self.store, self.correct, self.feed, self.move, self.merge, self.revert,
             self.reassign, self.absorb)
        )  # fmt: skip
        try:
            act()
        except Refusal as refusal:
            return f"{act.__name__}: {refusal.code}"
        return act.__name__

    def study(self) -> str:
        return self.random.choice(self.known)

    def patient(self) -> str:
        return self.random.choice(PATIENTS)

    def store(self) -> None:
        study, series = self.random.choice(STUDIES), self.random.choice("12")
        files = []
        for number in self.random.sample(range(1, 30), 3):
            if (study, series, number) not in self.stored:
                self.stored.add((study, series, number))
                whose = PATIENTS[STUDIES.index(study) % 2]
                files.append(instance(number, study=study, series=series, PatientID=whose))
        if files:
            self.house.store(*files)

    def correct(self) -> None:
        values = {"StudyID": str(self.random.randrange(3)), "PatientName": self.name()}
        self.house.studies.correct(self.study(), values, reason=WHY)

    def name(self) -> str:
        return self.random.choice(("Li^Si", "Wang^Wu", "Zhao^Liu"))

    def feed(self) -> None:
        self.house.feed.receive([pid(self.patient())], Told(name=self.name(), sex="F"))

    def absorb(self) -> None:
        if self.random.random() < 0.3:
            self.house.feed.merge(pid(self.patient()), pid(self.patient()), Told())

    def reassign(self) -> None:
        self.house.studies.reassign(self.study(), pid(self.patient()), reason=WHY)

    def move(self) -> None:
        study = self.study()
        held = self.house.index.instances_for_manifest(study)
        if held:
            some = self.random.sample(held, min(2, len(held)))
            to = self.random.choice(("", self.study()))
            asked = AskedMove(
                study_uid=study,
                to_study_uid=to,
                series_uids=[some[0].series_uid] if self.random.random() < 0.5 else (),
                sop_uids=[one.sop_uid for one in some],
            )
            self.known.append(self.house.studies.move(asked, reason=WHY).to_study_uid)

    def merge(self) -> None:
        asked = AskedMove(study_uid=self.study(), to_study_uid=self.study())
        self.house.studies.move(asked, reason=WHY)

    def revert(self) -> None:
        self.house.studies.revert(self.study(), reason=WHY)


@pytest.mark.parametrize("seed", [1004, 1013, 2005])
@pytest.mark.tender("R-6.3.4")
def test_views_agree_after_any_sequence(tmp_path: Path, seed: int) -> None:
    archive = open_archive(tmp_path)
    house = House(archive)
    acts = Acts(house, seed)
    done = [acts.step() for _ in range(STEPS)]
    uids = [stable(*one) for one in acts.stored]
    places = archive.views.map.locate_many(uids)
    assert places.keys() == set(uids), done
    changes = house.index.corrections(uids)
    counted = Counter(place.study_uid for place in places.values())
    for study_uid, count in counted.items():
        row = house.index.study(study_uid)
        assert row is not None, done
        assert (row.instance_count, row.held_count) == (count, count), done
        told = house.metadata(study_uid)
        for sop_uid, one in told.items():
            place = places[sop_uid]
            assert one["0020000D"]["Value"] == [place.study_uid] == [study_uid], done
            assert one["0020000E"]["Value"] == [place.series_uid], done
            if place.patient_key == row.patient_key and sop_uid in changes:
                names = changes[sop_uid].get("00100010", one["00100010"])
                assert one["00100010"].get("Value") == names.get("Value"), done
    now = live(archive.views)
    events = archive.ledger.read(0, 100_000)
    for batch in (1, 7, 1000):
        again = anew(events, archive.blobs, batch=batch)
        for name, rows in now.items():
            assert again[name] == rows, (name, batch, done)
    archive.close()
