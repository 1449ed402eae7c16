"""The printed report of the demo: one A4 page per examination.

Design A1 (sample documents); the layout follows the usual Chinese imaging report: heading,
person, findings, impression, signature. Called by `studies` (encapsulated PDF) and `documents`.
"""

from __future__ import annotations

from server.demo.attributes import Exam
from server.demo.pdf import PdfWriter
from server.demo.reports import Report

SEXES = {"M": "男", "F": "女", "O": "未知"}


def report_pdf(
    exam: Exam, report: Report, *, picture: bytes = b"", size: tuple[int, int] = (0, 0)
) -> bytes:
    """Return the report as PDF; `picture` is a JPEG of `size` rows, columns."""
    patient = exam.patient
    age = (exam.when.date() - patient.birth_date).days // 365
    pdf = PdfWriter(report.title)
    pdf.paragraph(exam.campus, 10)
    pdf.heading(report.title)
    pdf.rule()
    pdf.row((f"姓名：{patient.display_name}", f"性别：{SEXES[patient.sex]}", f"年龄：{age}岁"))
    pdf.row((f"病历号：{patient.id}", f"检查号：{exam.accession}", f"科室：{exam.department}"))
    pdf.row((f"检查项目：{exam.description}", f"检查时间：{exam.when:%Y-%m-%d %H:%M}", ""))
    pdf.rule()
    if picture:
        pdf.picture(picture, size)
    pdf.label("影像所见")
    pdf.paragraph(report.findings)
    pdf.label("诊断意见")
    for line in report.impression.split("\n"):
        pdf.paragraph(line)
    pdf.rule()
    pdf.row(
        (
            f"报告医师：{_chinese(exam.reader)}",
            f"申请医师：{_chinese(exam.referrer)}",
            f"报告时间：{exam.when:%Y-%m-%d}",
        )
    )
    pdf.paragraph("本报告为演示数据，人物与内容均为虚构，不得用于诊疗。", 8.5)
    return pdf.write()


def _chinese(name: str) -> str:
    return name.partition("=")[2].replace("^", "") or name
