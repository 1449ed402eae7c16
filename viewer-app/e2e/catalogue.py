"""The fake server's memory: invented patients, their studies, series and documents."""

from __future__ import annotations

import datetime as dt
import io
import time
from pathlib import Path

import synthetic
from paper import report_pdf
from PIL import Image, ImageDraw
from pydicom import dcmread

# Invented and plainly artificial, so that nobody takes them for people.
PEOPLE = [
    ("TEST^ALPHA", "测试甲", "P100001", "F", "1968-03-12"),
    ("TEST^BETA", "测试乙", "P100002", "M", "1955-11-02"),
    ("TEST^GAMMA", "测试丙", "P100003", "F", "2025-06-30"),
    ("TEST^DELTA", "测试丁", "P100004", "M", "1990-01-25"),
    ("TEST^EPSILON", "测试戊", "P100005", "F", "1979-08-17"),
    ("TEST^ZETA", "测试己", "P100006", "M", "2016-04-09"),
    ("TEST^ETA", "测试庚", "P100007", "F", "1983-12-05"),
    ("TEST^THETA", "测试辛", "P100008", "M", "1947-07-21"),
]
KINDS = [
    ("CT", "CHEST", "胸部CT平扫", 2, 120),
    ("DX", "CHEST", "胸部正位片", 1, 1),
    ("US", "HEART", "心脏彩色多普勒超声", 1, 3),
    ("MR", "HEAD", "颅脑MRI平扫+DWI", 7, 214),
    ("ES", "STOMACH", "电子胃镜检查", 1, 12),
    ("CT", "ABDOMEN", "上腹部CT增强三期", 5, 642),
    ("MG", "BREAST", "双侧乳腺钼靶", 4, 4),
    ("ECG", "", "十二导联心电图", 1, 1),
    ("PT", "WHOLEBODY", "PET-CT 全身显像", 6, 890),
    ("DX", "KNEE", "右膝关节正侧位", 2, 2),
]
STATUSES = ["published", "published", "complete", "published", "receiving", "published"]
REPORT = [
    [
        "姓名：测试甲    性别：女    年龄：57岁    登记号：P100001",
        "检查项目：胸部CT平扫    检查号：A20260001",
        "# 影像所见",
        "胸廓对称，气管居中。左肺上叶见一直径约 12 mm 结节，边缘光滑，",
        "密度均匀，CT值约 38 HU。余肺野清晰，未见实变及间质性改变。",
        "纵隔结构清晰，未见肿大淋巴结。心影不大，主动脉未见钙化。",
        "双侧胸腔未见积液。所见骨质未见破坏。",
        "# 诊断意见",
        "1. 左肺上叶结节，建议 3 个月后复查低剂量CT。",
        "2. 余胸部CT平扫未见明显异常。",
        "",
        "报告医师：测试报告员    审核医师：测试审核员",
        "本页为合成演示数据，不对应任何真实病人。",
    ],
    [
        "# 附：测量记录",
        "结节长径 12.1 mm，短径 11.4 mm，体积约 0.8 mL。",
        "与既往检查对比：首次检查，无既往影像。",
    ],
]
LAB = """检验报告单（合成演示数据）

项目              结果      单位      参考区间
白细胞计数 WBC     6.2      10^9/L    3.5 - 9.5
红细胞计数 RBC     4.51     10^12/L   3.8 - 5.1
血红蛋白  HGB      132      g/L       115 - 150
血小板计数 PLT     218      10^9/L    125 - 350
C反应蛋白 CRP      2.1      mg/L      0 - 8
"""
CDA = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <title>出院小结</title>
  <effectiveTime value="20260301093000+0800"/>
  <recordTarget><patientRole><id extension="P100001"/></patientRole></recordTarget>
  <component><structuredBody>
    <component><section>
      <title>诊疗经过</title>
      <text>入院后完善检查，予抗感染治疗，体温正常 3 天后出院。</text>
    </section></component>
    <component><section>
      <title>注入试验</title>
      <text>&lt;img src=x onerror="document.title='owned'"&gt; &lt;script&gt;alert(1)&lt;/script&gt;</text>
    </section></component>
  </structuredBody></component>
</ClinicalDocument>
"""


def _photo() -> bytes:
    image = Image.new("RGB", (900, 640), "#f4efe6")
    draw = ImageDraw.Draw(image)
    for x in range(0, 900, 20):
        draw.line([(x, 0), (x, 640)], fill="#efc9c3" if x % 100 else "#e0968c")
    for y in range(0, 640, 20):
        draw.line([(0, y), (900, y)], fill="#efc9c3" if y % 100 else "#e0968c")
    beat = [0, 0, 6, 0, -4, 70, -26, 0, 0, 14, 18, 8, 0, 0, 0]
    for row in range(3):
        points = [(i * 12, 130 + row * 190 - beat[i % 15] * 1.2) for i in range(76)]
        draw.line(points, fill="#20242a", width=2)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


class Catalogue:
    """Everything the fake server can be asked."""

    def __init__(self, folders: list[Path]):
        self.rows: list[dict] = []
        self.data: dict[str, dict[str, list]] = {}
        self.documents: dict[str, tuple[dict, str, bytes]] = {}
        self.pdf = report_pdf("胸部CT检查报告", REPORT)
        self._people()
        for folder in folders:
            self._folder(folder)
        self._papers()
        self.opened: dict[str, float] = {}

    # -- filling ---------------------------------------------------------------
    def _people(self) -> None:
        now = dt.datetime.now().replace(microsecond=0)
        for number in range(64):
            # The first patient has a long history; the others share the remaining rows.
            person = PEOPLE[0 if number in (0, 1, 2, 9, 17, 23, 31, 40) else 1 + number % 7]
            modality, part, title, series, count = KINDS[number % len(KINDS)]
            when = now - dt.timedelta(minutes=23 + number * 171 + (number // 9) ** 3 * 900)
            row = self._row(person, f"{synthetic.ROOT}.{1000 + number}", when)
            row |= {
                "accession_number": f"A{when:%Y%m}{number:04d}",
                "study_description": title,
                "modalities": [modality] if modality != "PT" else ["PT", "CT"],
                "body_parts": [part] if part else [],
                "status": STATUSES[number % 6] if number < 14 else "published",
                "series_count": series,
                "instance_count": count,
            }
            self.rows.append(row)
            if number in (0, 1, 2, 10):
                self._pixels(row, modality)

    def _row(self, person, uid: str, when: dt.datetime) -> dict:
        name, ideographic, patient_id, sex, birth = person
        return {
            "study_uid": uid,
            "patient_key": f"k{patient_id.lower()}",
            "patient_name": name,
            "patient_name_ideographic": ideographic,
            "patient_id": patient_id,
            "patient_sex": sex,
            "patient_birth_date": birth,
            "study_datetime": when.isoformat(),
            "received_at": (when + dt.timedelta(minutes=4)).isoformat(),
        }

    def _pixels(self, row: dict, modality: str) -> None:
        study = {
            "uid": row["study_uid"],
            "name": f"{row['patient_name']}={row['patient_name_ideographic']}",
            "patient_id": row["patient_id"],
            "sex": row["patient_sex"],
            "birth": row["patient_birth_date"],
            "when": row["study_datetime"],
            "accession": row["accession_number"],
        }
        if modality == "CT":
            series = [
                synthetic.ct_series(study, 2, 48, "纵隔窗 5.0mm", 5),
                synthetic.ct_series(study, 3, 24, "肺窗 5.0mm", 10),
                synthetic.pdf_series(study, 900, self.pdf),
            ]
        elif modality == "US":
            series = [synthetic.us_series(study, 1, 40)]
        else:
            series = [synthetic.dx_series(study, 1)]
        self.data[study["uid"]] = {s[0].SeriesInstanceUID: s for s in series}
        row["series_count"] = len(series)
        row["instance_count"] = sum(len(s) for s in series)

    def _folder(self, folder: Path) -> None:
        for file in sorted(folder.rglob("*.dcm")):
            ds = dcmread(file, force=True)
            if not ds.get("StudyInstanceUID") or "TransferSyntaxUID" not in ds.file_meta:
                continue
            uid = str(ds.StudyInstanceUID)
            if uid not in self.data:
                self.data[uid] = {}
                person = ("TEST^FOLDER", "样例", "F" + str(len(self.data)), "O", "1970-01-01")
                row = self._row(person, uid, dt.datetime.now().replace(microsecond=0))
                row |= {
                    "accession_number": "",
                    "study_description": str(ds.get("StudyDescription", folder.name)),
                    "modalities": [str(ds.get("Modality", "OT"))],
                    "body_parts": [],
                    "status": "complete",
                    "series_count": 0,
                    "instance_count": 0,
                }
                self.rows.insert(0, row)
            self.data[uid].setdefault(str(ds.SeriesInstanceUID), []).append(ds)
        for row in self.rows:
            if row["study_uid"] in self.data:
                series = self.data[row["study_uid"]]
                row["series_count"] = len(series)
                row["instance_count"] = sum(len(s) for s in series.values())

    def _papers(self) -> None:
        papers = [
            ("胸部CT检查报告", "影像诊断报告", "application/pdf", self.pdf, 0),
            ("血常规检验报告", "检验报告", "text/plain", LAB.encode(), 3),
            ("出院小结", "出院小结", "text/xml", CDA.encode(), 240),
            ("心电图", "心电图报告", "image/png", _photo(), 420),
            ("旧版胸片报告", "影像诊断报告", "application/pdf", self.pdf, 800),
        ]
        for number, (title, kind, mime, data, days) in enumerate(papers):
            entry = f"00000000-0000-4000-8000-{number:012d}"
            when = dt.datetime.now() - dt.timedelta(days=days, hours=1)
            row = {
                "entry_uuid": entry,
                "title": title,
                "type_display": kind,
                "class_display": "报告",
                "mime_type": mime,
                "creation_time": when.isoformat(timespec="seconds"),
                "size_bytes": len(data),
                "author": "测试报告员",
                "format_code": "",
                "availability": "deprecated" if number == 4 else "approved",
            }
            self.documents[entry] = (row, mime, data)

    # -- answering -------------------------------------------------------------
    def search(self, ask: dict) -> dict:
        today = dt.date.today()
        rows = self.rows
        spans = {"today": (0, 0), "yesterday": (1, 1), "3d": (2, 0), "7d": (6, 0)}
        first, last = ask.get("date_from"), ask.get("date_to")
        if ask.get("preset"):
            a, b = spans[ask["preset"]]
            first, last = (str(today - dt.timedelta(days=d)) for d in (a, b))
        if ask.get("name"):
            text = ask["name"].lower()
            rows = [
                r
                for r in rows
                if text in r["patient_name"].lower() or text in r["patient_name_ideographic"]
            ]
        for field in ("patient_id", "accession_number"):
            if ask.get(field):
                rows = [r for r in rows if r[field].lower().startswith(ask[field].lower())]
        if ask.get("modalities"):
            rows = [r for r in rows if set(ask["modalities"]) & set(r["modalities"])]
        if first:
            rows = [r for r in rows if r["study_datetime"][:10] >= first]
        if last:
            rows = [r for r in rows if r["study_datetime"][:10] <= last]
        sort = ask.get("sort", "study_datetime")
        rows = sorted(
            rows,
            key=lambda r: str(r["modalities" if sort == "modality" else sort]),
            reverse=ask.get("descending", True),
        )
        start = ask.get("offset", 0)
        return {"total": len(rows), "items": rows[start : start + ask.get("limit", 20)]}

    def row(self, uid: str) -> dict:
        return {row["study_uid"]: row for row in self.rows}[uid]

    def arrived(self, uid: str, instances: list) -> list:
        """What has come so far: a receiving study grows by three instances a second."""
        if self.row(uid)["status"] != "receiving":
            return instances
        since = time.monotonic() - self.opened.setdefault(uid, time.monotonic())
        return instances[: 6 + int(since * 3)]

    def study(self, uid: str) -> dict:
        row = self.row(uid)
        series = []
        for series_uid, instances in self.data.get(uid, {}).items():
            instances = self.arrived(uid, instances)
            ds = instances[len(instances) // 2]
            document = "EncapsulatedDocument" in ds
            viewable = "document" if document else "image" if "PixelData" in ds else "none"
            series.append(
                {
                    "series_uid": series_uid,
                    "modality": str(ds.Modality),
                    "series_number": int(ds.get("SeriesNumber") or 0),
                    "description": str(ds.get("SeriesDescription", "")),
                    "body_part": str(ds.get("BodyPartExamined", "")),
                    "instance_count": len(instances),
                    "sop_classes": [str(ds.SOPClassUID)],
                    "viewable": viewable,
                    "representative": {
                        "sop_uid": str(ds.SOPInstanceUID),
                        "frames": int(ds.get("NumberOfFrames") or 1),
                    },
                }
            )
        return {"study": row, "series": series}

    def timeline(self, patient: str) -> dict:
        studies = [row for row in self.rows if row["patient_key"] == patient]
        papers = [d[0] for d in self.documents.values()] if patient == "kp100001" else []
        return {"studies": studies, "documents": papers}

    def document(self, entry: str) -> tuple[str, bytes]:
        _row, mime, data = self.documents[entry]
        return mime, data

    def first_series(self, study: str) -> str:
        return next(iter(self.data[study]))

    def instances(self, study: str, series: str) -> list:
        return self.arrived(study, self.data[study][series])

    def instance(self, study: str, series: str, uid: str):
        return {str(ds.SOPInstanceUID): ds for ds in self.data[study][series]}[uid]
