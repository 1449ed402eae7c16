"""Random acts on the studies of a few patients: stored, corrected, moved, merged, fed, taken back.

Requirements R-6.3.4. Called by walks and soak tests, which then ask every door.
"""

from __future__ import annotations

import io
import random
import time
from typing import Any

import pydicom

from tests.support import ct, mllp
from tests.support.every_door import Answer, EveryDoor, disagreements


class Wanderer:
    """Does one random thing after the other to studies of a few patients."""

    def __init__(self, doors: EveryDoor, seed: int) -> None:
        self.doors, self.random = doors, random.Random(seed)
        self.series: list[ct.Series] = []
        mark = f"ED{seed}x{time.monotonic_ns() % 10**9}"
        self.patients = [f"{mark}{letter}" for letter in "PQR"]
        for number, whose in enumerate(self.patients):
            self.feed(whose, f"Person^{number}")
        for study in range(4):
            uid = ct.new_uid()
            whose = self.patients[study // 2]
            for _ in range(2):
                self.series.append(
                    ct.Series(patient_id=whose, patient_name=f"Person^{study // 2}", study_uid=uid,
                              accession=f"ACC{study}")
                )  # fmt: skip
        self.known = list(dict.fromkeys(one.study_uid for one in self.series))
        self.stored: set[str] = set()
        self.done: list[str] = []
        self.places: Answer = {}

    @classmethod
    def beside(cls, first: Wanderer, seed: int) -> Wanderer:
        """Return another who walks through the same studies at the same time."""
        made = cls.__new__(cls)
        made.doors, made.random = EveryDoor(first.doors.pianku), random.Random(seed)
        made.series, made.known, made.patients = first.series, list(first.known), first.patients
        made.stored, made.done, made.places = set(), [], {}
        return made

    def step(self) -> str:
        """Do something; what is refused changes nothing."""
        act = self.random.choice(
            (self.store, self.store, self.correct, self.renamed, self.merge, self.merge,
             self.split, self.revert, self.reassign, self.absorb)
        )  # fmt: skip
        self.done.append(f"{act.__name__}: {act()}")
        return self.done[-1]

    def store(self, *which: ct.Series) -> str:
        """Store an image, under the UIDs that its modality knows."""
        series = which or (self.random.choice(self.series),)
        files = [image(one, len(self.stored) + n) for n, one in enumerate(series, 1)]
        self.stored |= {str(pydicom.dcmread(io.BytesIO(one)).SOPInstanceUID) for one in files}
        parts = b"".join(
            b"--X\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % one for one in files
        )
        got = self.doors.web.post(
            "/dicom-web/studies",
            content=parts + b"--X--\r\n",
            headers={"content-type": 'multipart/related; type="application/dicom"; boundary=X'},
        )
        assert got.status_code == 200, got.text
        return series[0].study_uid[-4:]

    def correct(self) -> str:
        """Correct what a study says."""
        values = {"AccessionNumber": f"NEW{self.random.randrange(9)}"}
        if self.random.random() < 0.5:
            values["PatientName"] = self.random.choice(("Li^Si", "Wang^Wu"))
        return self.ask("corrections", self.study(), values=values)

    def reassign(self) -> str:
        """Give a study to somebody else."""
        whose = f"{self.random.choice(self.patients)}^^^&{self.doors.authority}&ISO"
        return self.ask("reassignment", self.study(), patient_id=whose)

    def merge(self) -> str:
        """Let a study be part of another."""
        to = self.study()
        return self.ask("moves", self.study(), to_study_uid=to)

    def split(self) -> str:
        """Take an image or a series out of a study."""
        study = self.study()
        held = sorted(self.doors.metadata(study).items())
        if not held:
            return "nothing there"
        uid, told = self.random.choice(held)
        some = {"sop_uids": [uid]}
        if self.random.random() < 0.5:
            some = {"series_uids": [told.series_uid]}
        to = self.study() if self.random.random() < 0.5 else ""
        return self.ask("moves", study, to_study_uid=to, **some)

    def revert(self) -> str:
        """Take something back: the last, or something before."""
        study = self.study()
        acts = self.doors.web.get(f"/api/v1/studies/{study}/corrections")
        positions = [one["position"] for one in acts.json()] if acts.status_code == 200 else []
        chosen = self.random.choice([0, 0, *positions])
        return self.ask("reversals", study, position=chosen)

    def renamed(self) -> str:
        """Let the feed tell another name."""
        return self.feed(self.random.choice(self.patients), self.random.choice(("Xu^A", "Ma^B")))

    def feed(self, patient_id: str, name: str) -> str:
        """Tell who a patient is (A08)."""
        told = mllp.admission(patient_id, self.doors.authority, name, event="A08")
        # Of a number that was merged into another the feed is told that it is no more.
        said = mllp.send(self.doors.pianku.mllp_port, told)
        return f"{patient_id[-1]} {name} {mllp.accepted(said)}"

    def absorb(self) -> str:
        """Let two identifiers be of one person (A40), now and then."""
        one, other = self.random.sample(self.patients, 2)
        if self.random.random() > 0.3:
            return "not now"
        at = f"^^^&{self.doors.authority}&ISO"
        said = mllp.send(
            self.doors.pianku.mllp_port,
            f"MSH|^~\\&|ADT|H|PIANKU|C|20260503||ADT^A40|M{time.monotonic_ns()}|P|2.3.1\r"
            f"EVN|A40|20260503\rPID|||{one}{at}||\rMRG|{other}{at}\r",
        )
        return f"{one[-1]} {other[-1]} {mllp.accepted(said)}"

    def study(self) -> str:
        """Choose a study."""
        return self.random.choice(self.known)

    def ask(self, what: str, study: str, **more: Any) -> str:
        """Ask for a correction; returns what came of it."""
        path = f"/api/v1/studies/{study}/{what}"
        got = self.doors.web.post(path, json={"reason": "wrong worklist entry", **more})
        assert got.status_code < 500, got.text
        told = got.json()
        if got.status_code != 200:
            return f"{study[-4:]} {told.get('code', told)}"
        if told["to_study_uid"]:
            self.known = list(dict.fromkeys((*self.known, told["to_study_uid"])))
        return f"{study[-4:]} {told['to_study_uid'][-4:]} {more}"

    def check(self) -> Answer:
        """Ask all doors for all studies; returns where everything is."""
        places: Answer = {}
        for study in self.known:
            answers = self.doors.ask(study)
            wrong = disagreements(answers)
            assert not wrong, "\n".join((*self.done, "", study[-4:], *wrong))
            told = answers["WADO-RS metadata"]
            assert not places.keys() & told.keys(), self.done
            places |= told
        assert places.keys() == self.stored, self.done
        for uid, was in self.places.items():
            if (was.study_uid, was.series_uid) != (places[uid].study_uid, places[uid].series_uid):
                assert self.doors.is_gone(uid, was), self.done
        self.places = places
        return places


def image(series: ct.Series, number: int) -> bytes:
    """Return a small image of a series; its bulk data lie apart from its metadata."""
    (ds,) = ct.slices(series, 1, size=32)
    ds.InstanceNumber = number
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()
