"""Studies made of the generators of this package, one by kind or many slices fast.

The standing test data of the requirements: one kind for every modality we can draw.
Called by `catalogue`, tests and benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from pydicom.dataset import Dataset

from kernel.identifiers import stable_uid
from server.demo import (
    bundled,
    colour,
    cross_sections,
    moving,
    objects,
    people,
    radiographs,
    segmentation,
    ultrasound,
)
from server.demo.attributes import Exam
from server.demo.charsets import escape_chinese, mislabel
from server.demo.people import Patient
from server.demo.report_pdf import report_pdf
from server.demo.reports import REPORTS, Report

Door = Literal["dimse", "stow"]
Maker = Callable[["DemoStudy", Sequence[Dataset]], list[Dataset]]


@dataclass(frozen=True, kw_only=True)
class DemoStudy:
    """One study: the exam, the kinds of objects in it and the door it is sent through."""

    key: str
    exam: Exam
    kinds: tuple[str, ...]
    report: Report | None = None
    door: Door = "dimse"
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the first kind's generator, e.g. count and size."""

    def instances(self) -> list[Dataset]:
        """Generate the instances, always the same for the same study."""
        made: list[Dataset] = []
        for kind in self.kinds:
            made.extend(_MAKERS[kind](self, made))
        return [escape_chinese(ds) for ds in made]


def generate(
    kind: str, seed: int = 0, *, exam: Exam | None = None, mislabelled: bool = False, **options: Any
) -> list[Dataset]:
    """Return a study of one of `KINDS`; options go to the generator, e.g. `count`, `size`.

    `mislabelled` declares ISO_IR 100 over GB18030 bytes, as old devices do.
    """
    study = DemoStudy(
        key=f"{kind}-{seed}",
        kinds=(*_NEEDS.get(kind, ()), kind),
        seed=seed,
        exam=exam or sample_exam(kind, seed),
        report=REPORTS["ct-chest"],
        options=options,
    )
    made = study.instances()
    return [mislabel(ds) for ds in made] if mislabelled else made


def ct_series(
    count: int,
    size: int = 512,
    *,
    patient: Patient = people.ZHANG_SAN,
    study_uid: str = "",
    seed: int = 0,
) -> list[Dataset]:
    """Return `count` CT slices quickly: 500 of 512 x 512 in about two seconds."""
    exam = sample_exam("CT", seed, patient=patient, study_uid=study_uid)
    return cross_sections.ct_chest(exam, count=count, size=size, seed=seed, detailed=False)


def sample_exam(
    kind: str, seed: int = 0, *, patient: Patient = people.ZHANG_SAN, study_uid: str = ""
) -> Exam:
    """Return an exam for a generated study that belongs to no catalogue."""
    return Exam(
        patient=patient,
        study_uid=study_uid or stable_uid("demo", "sample", kind, str(seed)),
        accession=f"S{kind[:3]}{seed:08d}",
        when=datetime(2026, 5, 4, 9, 30),  # noqa: DTZ001 - DICOM times are local
        campus=people.MAIN,
        department="放射科",
        description=f"{kind} 样例",
        body_part={"CR": "HAND", "MG": "BREAST"}.get(kind, "CHEST"),
    )


def _sr(study: DemoStudy, made: Sequence[Dataset]) -> list[Dataset]:
    report = study.report or REPORTS["ct-chest"]
    return objects.sr_report(
        study.exam, findings=report.findings, impression=report.impression, evidence=list(made[:1])
    )


def _pdf(study: DemoStudy, made: Sequence[Dataset]) -> list[Dataset]:
    del made
    report = study.report or REPORTS["ct-chest"]
    return objects.encapsulated_pdf(study.exam, report_pdf(study.exam, report), title=report.title)


def _nodule_slice(made: Sequence[Dataset]) -> Dataset:
    slices = [ds for ds in made if ds.Modality == "CT"]
    from server.demo.chest import HEIGHT_MM, NODULE  # noqa: PLC0415 - only this line needs them

    return slices[min(len(slices) - 1, int(NODULE[2] / HEIGHT_MM * len(slices)))]


def _ko(study: DemoStudy, made: Sequence[Dataset]) -> list[Dataset]:
    return objects.ko_key_images(study.exam, [_nodule_slice(made)], remark="右肺上叶结节")


def _pr(study: DemoStudy, made: Sequence[Dataset]) -> list[Dataset]:
    from server.demo.chest import NODULE  # noqa: PLC0415 - only this line needs it

    image = _nodule_slice(made)
    pixel, middle = float(image.PixelSpacing[0]), (int(image.Rows) + 1) / 2
    at = (middle + NODULE[0] / pixel, middle + NODULE[1] / pixel)
    return objects.pr_arrow(study.exam, image, at=at, text="结节 18 mm")


def _simple(maker: Callable[..., list[Dataset]], **options: Any) -> Maker:
    def make(study: DemoStudy, made: Sequence[Dataset]) -> list[Dataset]:
        chosen = study.options if not made else {}
        return maker(study.exam, seed=study.seed, **{**options, **chosen})

    return make


_MAKERS: Final[Mapping[str, Maker]] = {
    "CT": _simple(cross_sections.ct_chest),
    "CT prior": _simple(cross_sections.ct_chest, count=30, nodule=False),
    "MR": _simple(cross_sections.mr_brain),
    "PT": _simple(cross_sections.pt_chest),
    "DX": _simple(radiographs.dx_chest),
    "DX inverse": _simple(radiographs.dx_chest, inverse=True),
    "CR": _simple(radiographs.cr_hand, scale=0.86),
    "MG": _simple(radiographs.mg_screening),
    "US": _simple(ultrasound.us_heart),
    "US abdomen": _simple(ultrasound.us_abdomen),
    "XA": _simple(moving.xa_coronary),
    "NM": _simple(moving.nm_bone_scan),
    "ES": _simple(colour.es_gastroscopy),
    "OP": _simple(colour.op_fundus),
    "SM": _simple(colour.sm_slide),
    "ECG": _simple(objects.ecg_twelve_leads),
    "SEG": lambda study, made: segmentation.seg_nodule(
        study.exam, [ds for ds in made if ds.Modality == "CT"]
    ),
    "KO": _ko,
    "PR": _pr,
    "SR": _sr,
    "PDF": _pdf,
    "RT": lambda study, _: bundled.bundled(study.exam, bundled.RADIOTHERAPY),
    "FILES": lambda study, _: bundled.bundled(study.exam, bundled.SYNTAXES),
}
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {"SEG": ("CT",), "KO": ("CT",), "PR": ("CT",)}
KINDS: Final = tuple(_MAKERS)
"""What `generate` can make; SEG, KO and PR come with the CT they point at."""
