"""The report documents of the demo: PDF, text, CDA, JPEG and PNG, by submission.

The content behind ITI-41 (ITI TF-2 3.41); texts come from `reports`, so that documents and
studies tell the same story. Called by `provide`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kernel.identifiers import stable_uid
from server.demo import chest, colour
from server.demo.attributes import Exam
from server.demo.catalogue import catalogue
from server.demo.painting import generator, to_bytes
from server.demo.report_pdf import SEXES, report_pdf
from server.demo.reports import Report
from server.demo.studies import DemoStudy

_PICTURE_SIZE: Final = 512
_AFTER_EXAM: Final = timedelta(minutes=40)


@dataclass(frozen=True, kw_only=True)
class DemoDocument:
    """A document with what its metadata need."""

    exam: Exam
    kind: str
    """Key into the code table: pdf, text, cda, jpeg, png."""
    mime_type: str
    title: str
    content: bytes
    created: datetime
    modality: str

    @property
    def unique_id(self) -> str:
        """Return the DocumentEntry.uniqueId."""
        return stable_uid(self.exam.study_uid, "document", self.kind)


@dataclass(frozen=True, kw_only=True)
class DemoSubmission:
    """The documents of one exam, sent together."""

    exam: Exam
    title: str
    documents: tuple[DemoDocument, ...]

    @property
    def unique_id(self) -> str:
        """Return the SubmissionSet.uniqueId."""
        return stable_uid(self.exam.study_uid, "submission")


def submissions(today: date) -> list[Callable[[], DemoSubmission]]:
    """Return the submissions, each drawn when it is called."""
    reported = [study for study in catalogue(today) if study.report is not None]
    return [partial(submission, study) for study in reported]


def submission(study: DemoStudy) -> DemoSubmission:
    """Return the documents of a reported study; every one has the PDF, some have more."""
    report = study.report
    if report is None:
        raise ValueError("the study has no report")
    kinds = ("pdf", *_EXTRA.get(study.key, ()))
    documents = tuple(
        DemoDocument(
            exam=study.exam,
            kind=kind,
            mime_type=_MIME[kind],
            title=report.title + _SUFFIX[kind],
            content=_content(kind, study, report),
            created=study.exam.when + _AFTER_EXAM,
            modality=study.kinds[0].partition(" ")[0],
        )
        for kind in kinds
    )
    return DemoSubmission(exam=study.exam, title=report.title, documents=documents)


_MIME: Final[Mapping[str, str]] = {
    "pdf": "application/pdf",
    "text": "text/plain",
    "cda": "text/xml",
    "jpeg": "image/jpeg",
    "png": "image/png",
}
_SUFFIX: Final[Mapping[str, str]] = {
    "pdf": "",
    "text": "（文本）",
    "cda": "（CDA）",
    "jpeg": "（图片）",
    "png": "（关键图像）",
}
_EXTRA: Final[Mapping[str, tuple[str, ...]]] = {
    "zhang-ct": ("cda", "png"),
    "zhang-dx": ("text",),
    "qian-es": ("jpeg", "cda"),
    "zhao-mr": ("text",),
    "wang-xa": ("cda",),
}


def _content(kind: str, study: DemoStudy, report: Report) -> bytes:
    if kind == "pdf":
        picture = _key_picture(study)
        if picture is None:
            return report_pdf(study.exam, report)
        return report_pdf(
            study.exam, report, picture=_encode(picture, "JPEG"), size=picture.shape[:2]
        )
    if kind == "text":
        return _text_report(study.exam, report)
    if kind == "cda":
        return cda_report(study.exam, report)
    picture = _key_picture(study)
    assert picture is not None
    return _encode(picture, kind.upper())


def _key_picture(study: DemoStudy) -> NDArray[np.uint8] | None:
    """Return a grey or RGB picture of what the study shows, where one is quickly drawn."""
    first = study.kinds[0]
    if first == "CT":
        person = chest.Chest(study.seed)
        pixel = 360.0 / _PICTURE_SIZE
        hounsfield = person.slice_hu(chest.NODULE[2], _PICTURE_SIZE, pixel)
        hounsfield += chest.texture(generator("picture", study.seed), _PICTURE_SIZE)
        return to_bytes((hounsfield + np.float32(1300)) * np.float32(255 / 1500))
    if first == "ES":
        return colour.gastroscopy_picture(2, study.seed)
    return None


def _encode(picture: NDArray[np.uint8], file_format: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, file_format)
    return out.getvalue()


def _text_report(exam: Exam, report: Report) -> bytes:
    patient = exam.patient
    lines = [
        exam.campus,
        report.title,
        "",
        f"姓名：{patient.display_name}    性别：{SEXES[patient.sex]}    病历号：{patient.id}",
        f"检查号：{exam.accession}    科室：{exam.department}",
        f"检查时间：{exam.when:%Y-%m-%d %H:%M}",
        "",
        "【影像所见】",
        report.findings,
        "",
        "【诊断意见】",
        report.impression,
        "",
        "本报告为演示数据，人物与内容均为虚构，不得用于诊疗。",
    ]
    return ("\r\n".join(lines) + "\r\n").encode()


def cda_report(exam: Exam, report: Report) -> bytes:
    """Return the report in the shape of an HL7 CDA release 2 document."""
    patient = exam.patient
    names = "".join(
        f'<name use="{use}"><family>{escape(family)}</family><given>{escape(given)}</given></name>'
        for use, group in (("ABC", patient.alphabetic), ("IDE", patient.ideographic))
        for family, _, given in [group.partition("^")]
    )
    sections = "".join(
        f"<component><section>{code}<title>{title}</title><text><paragraph>"
        f"{escape(text).replace(chr(10), '</paragraph><paragraph>')}</paragraph></text>"
        "</section></component>"
        for code, title, text in (
            (_loinc("18782-3", "Radiology Study observation"), "影像所见", report.findings),
            (_loinc("19005-8", "Radiology Imaging study impression"), "诊断意见",
             report.impression),
        )
    )  # fmt: skip
    ids = stable_uid("demo", "patient ids")
    created = (exam.when + _AFTER_EXAM).strftime("%Y%m%d%H%M%S")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ClinicalDocument xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        f'<id root="{stable_uid(exam.study_uid, "document", "cda")}"/>'
        f"{_loinc('18748-4', 'Diagnostic imaging study')}"
        f'<title>{escape(report.title)}</title><effectiveTime value="{created}+0800"/>'
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>'
        '<languageCode code="zh-CN"/>'
        f'<recordTarget><patientRole><id root="{ids}" extension="{escape(patient.id)}"/>'
        f'<patient>{names}<administrativeGenderCode code="{_CDA_SEX[patient.sex]}" '
        'codeSystem="2.16.840.1.113883.5.1"/>'
        f'<birthTime value="{patient.birth_date:%Y%m%d}"/></patient></patientRole></recordTarget>'
        f'<author><time value="{created}+0800"/><assignedAuthor><id nullFlavor="NI"/>'
        f"<assignedPerson><name>{escape(exam.reader.partition('=')[2].replace('^', ''))}</name>"
        "</assignedPerson></assignedAuthor></author>"
        '<custodian><assignedCustodian><representedCustodianOrganization><id nullFlavor="NI"/>'
        f"<name>{escape(exam.campus)}</name></representedCustodianOrganization>"
        "</assignedCustodian></custodian>"
        f"<component><structuredBody>{sections}</structuredBody></component>"
        "</ClinicalDocument>\n"
    ).encode()


_CDA_SEX: Final = {"M": "M", "F": "F", "O": "UN"}


def _loinc(value: str, display: str) -> str:
    return (
        f'<code code="{value}" codeSystem="2.16.840.1.113883.6.1" codeSystemName="LOINC" '
        f'displayName="{display}"/>'
    )
