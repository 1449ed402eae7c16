"""Documents open as what they claim to be, carry the report, and are the same every time."""

from __future__ import annotations

import io
import re
import subprocess
import zlib
from datetime import date

import pytest
from lxml import etree
from PIL import Image

from server.demo.catalogue import catalogue
from server.demo.documents import submission, submissions
from server.demo.pdf import PdfWriter, adobe_gb1_cid, wrap
from server.demo.reports import REPORTS

TODAY = date(2026, 5, 4)


@pytest.fixture(scope="module")
def papers():
    return [draw() for draw in submissions(TODAY)]


def test_every_reported_study_has_a_pdf_and_all_kinds_occur(papers):
    assert len(papers) == len([s for s in catalogue(TODAY) if s.report])
    kinds = {d.kind for paper in papers for d in paper.documents}
    assert kinds == {"pdf", "text", "cda", "jpeg", "png"}
    assert all(paper.documents[0].mime_type == "application/pdf" for paper in papers)


def test_unique_ids_are_unique_and_stable(papers):
    ids = [d.unique_id for paper in papers for d in paper.documents]
    assert len(set(ids)) == len(ids)
    again = [draw() for draw in submissions(TODAY)]
    assert [d.content for p in papers for d in p.documents] == [
        d.content for p in again for d in p.documents
    ]


def test_pictures_cda_and_text_are_readable(papers):
    documents = {(p.exam.accession[:2], d.kind): d for p in papers for d in p.documents}
    for (_, kind), document in documents.items():
        if kind in {"jpeg", "png"}:
            assert Image.open(io.BytesIO(document.content)).format == kind.upper()
    cda = etree.fromstring(documents["CT", "cda"].content)
    assert cda.tag == "{urn:hl7-org:v3}ClinicalDocument"
    assert "右肺上叶结节" in "".join(cda.itertext())
    assert "头颅MRI检查报告" in documents["MR", "text"].content.decode()


def test_the_codes_of_gb2312_are_those_of_adobe_gb1():
    # Known pairs of the Adobe-GB1 collection.
    assert [adobe_gb1_cid(c) for c in "、啊座亍齄①（"] == [97, 940, 4694, 4695, 7702, 230, 269]
    with pytest.raises(ValueError, match="GB 2312"):
        adobe_gb1_cid("龘")


def test_every_report_can_be_set():
    for report in REPORTS.values():
        pdf = PdfWriter(report.title)
        pdf.heading(report.title)
        pdf.paragraph(report.findings)
        pdf.paragraph(report.impression)
        assert pdf.write().startswith(b"%PDF-1.5")


def test_the_cross_reference_table_points_at_the_objects(papers):
    pdf = papers[0].documents[0].content
    start = int(re.search(rb"startxref\n(\d+)", pdf)[1])
    entries = re.findall(rb"(\d{10}) 00000 n ", pdf[start:])
    for number, offset in enumerate(entries, start=1):
        assert pdf[int(offset) :].startswith(f"{number} 0 obj".encode())


def test_lines_are_wrapped_but_never_begin_with_a_full_stop():
    lines = wrap("字" * 9 + "。" + "Lung-RADS 4B " * 4, 10, 90)
    assert not any(line.startswith("。") for line in lines)
    assert "".join(lines).replace(" ", "") == "字" * 9 + "。" + "Lung-RADS4B" * 4


def test_long_text_goes_on_to_a_second_page():
    pdf = PdfWriter("x")
    pdf.paragraph("片库演示。" * 800)
    assert b"/Count 2" in pdf.write() or b"/Count 3" in pdf.write()


def test_the_text_can_be_copied_out(papers):
    pdf = papers[0].documents[0].content
    streams = [
        zlib.decompress(s)
        for s in re.findall(rb"/FlateDecode>>\nstream\n(.*?)\nendstream", pdf, re.DOTALL)
    ]
    unicode_map = next(s for s in streams if b"beginbfchar" in s)
    assert "右".encode("utf-16-be").hex().upper().encode() in unicode_map


@pytest.mark.peer("ghostscript")
def test_ghostscript_reads_the_chinese_text(papers, tmp_path):
    (tmp_path / "x.pdf").write_bytes(papers[0].documents[0].content)
    done = subprocess.run(
        ["gs", "-q", "-sDEVICE=txtwrite", "-o", "-", str(tmp_path / "x.pdf")],
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode()
    assert "右肺上叶" in text
    assert "姓名：张三" in text


def test_a_study_without_a_report_has_no_documents():
    files = next(s for s in catalogue(TODAY) if s.report is None)
    with pytest.raises(ValueError, match="no report"):
        submission(files)
