"""The studies of the demo: who was examined, when, where, and by which door it comes in.

Design A1; dates are counted from today, so that every date preset of the portal finds
something, and UIDs follow from the date, so that loading twice a day changes nothing.
Called by `load` and `documents`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from kernel.identifiers import stable_uid
from server.demo import people
from server.demo.attributes import Exam
from server.demo.people import Patient
from server.demo.reports import REPORTS
from server.demo.studies import DemoStudy, Door


def catalogue(today: date) -> tuple[DemoStudy, ...]:
    """Return the studies of the demo as of `today`."""
    return tuple(_study(today, index, row) for index, row in enumerate(_ROWS, start=1))


def _study(today: date, index: int, row: _Row) -> DemoStudy:
    day = today - timedelta(days=row.days_ago)
    hour, minute = divmod(8 * 60 + index * 23, 60)
    exam = Exam(
        patient=row.patient,
        study_uid=stable_uid("demo", "study", row.key, day.isoformat()),
        accession=f"{row.kinds[0][:2]}{day:%Y%m%d}{index:03d}",
        when=datetime.combine(day, time(hour, minute)),
        campus=row.campus or row.patient.campus,
        department=row.department,
        description=row.description,
        body_part=row.body_part,
        reason=row.reason,
    )
    return DemoStudy(
        key=row.key,
        exam=exam,
        kinds=row.kinds,
        report=REPORTS.get(row.report),
        door=row.door,
        seed=index,
    )


@dataclass(frozen=True, kw_only=True)
class _Row:
    key: str
    patient: Patient
    days_ago: int
    kinds: tuple[str, ...]
    department: str
    description: str
    body_part: str
    report: str = ""
    reason: str = ""
    campus: str = ""
    door: Door = "dimse"


_ROWS: Final = (
    _Row(
        key="zhang-ct",
        patient=people.ZHANG_SAN,
        days_ago=0,
        department="CT室",
        kinds=("CT", "SEG", "KO", "PR", "SR"),
        description="胸部CT增强",
        body_part="CHEST",
        report="ct-chest",
        reason="咳嗽一月",
    ),
    _Row(
        key="zhang-ecg",
        patient=people.ZHANG_SAN,
        days_ago=1,
        kinds=("ECG",),
        door="stow",
        department="心电图室",
        description="静息心电图",
        body_part="HEART",
        report="ecg",
    ),
    _Row(
        key="zhang-dx",
        patient=people.ZHANG_SAN,
        days_ago=3,
        kinds=("DX", "PDF"),
        department="放射科",
        description="胸部正位",
        body_part="CHEST",
        report="dx-chest",
    ),
    _Row(
        key="zhang-pt",
        patient=people.ZHANG_SAN,
        days_ago=7,
        kinds=("PT",),
        department="核医学科",
        description="PET 胸部",
        body_part="CHEST",
        report="pt-chest",
        campus=people.RIVERSIDE,
    ),
    _Row(
        key="zhang-prior",
        patient=people.ZHANG_SAN,
        days_ago=370,
        kinds=("CT prior",),
        department="CT室",
        description="胸部CT平扫",
        body_part="CHEST",
        report="ct-prior",
        campus=people.EAST,
    ),
    _Row(
        key="li-mg",
        patient=people.LI_SI,
        days_ago=7,
        kinds=("MG",),
        department="乳腺影像室",
        description="双侧乳腺钼靶",
        body_part="BREAST",
        report="mg",
        reason="体检",
    ),
    _Row(
        key="li-us",
        patient=people.LI_SI,
        days_ago=1,
        kinds=("US abdomen",),
        door="stow",
        department="超声科",
        description="腹部超声",
        body_part="ABDOMEN",
        report="us-abdomen",
    ),
    _Row(
        key="wang-xa",
        patient=people.WANG_WU,
        days_ago=0,
        kinds=("XA",),
        department="介入导管室",
        description="冠状动脉造影",
        body_part="HEART",
        report="xa",
        reason="胸痛三天",
    ),
    _Row(
        key="wang-us",
        patient=people.WANG_WU,
        days_ago=3,
        kinds=("US",),
        department="超声科",
        description="心脏彩超",
        body_part="HEART",
        report="us-heart",
    ),
    _Row(
        key="zhao-mr",
        patient=people.ZHAO_LIU,
        days_ago=1,
        kinds=("MR",),
        department="磁共振室",
        description="头颅MRI平扫",
        body_part="BRAIN",
        report="mr-brain",
        reason="头痛",
    ),
    _Row(
        key="zhao-op",
        patient=people.ZHAO_LIU,
        days_ago=400,
        kinds=("OP",),
        door="stow",
        department="眼科",
        description="眼底照相",
        body_part="EYE",
        report="op",
    ),
    _Row(
        key="qian-nm",
        patient=people.QIAN_QI,
        days_ago=3,
        kinds=("NM",),
        department="核医学科",
        description="全身骨显像",
        body_part="WHOLEBODY",
        report="nm",
    ),
    _Row(
        key="qian-es",
        patient=people.QIAN_QI,
        days_ago=0,
        kinds=("ES",),
        department="消化内镜中心",
        description="电子胃镜",
        body_part="STOMACH",
        report="es",
    ),
    _Row(
        key="qian-sm",
        patient=people.QIAN_QI,
        days_ago=0,
        kinds=("SM",),
        door="stow",
        department="病理科",
        description="胃窦活检病理",
        body_part="STOMACH",
        report="sm",
    ),
    _Row(
        key="sun-us",
        patient=people.SUN_BA,
        days_ago=0,
        kinds=("US abdomen",),
        department="超声科",
        description="腹部超声",
        body_part="ABDOMEN",
        report="us-abdomen",
    ),
    _Row(
        key="zhou-dx",
        patient=people.ZHOU_JIU,
        days_ago=1,
        kinds=("DX inverse",),
        department="儿科",
        description="胸部正位（儿童）",
        body_part="CHEST",
        report="dx-child",
    ),
    _Row(
        key="zhou-cr",
        patient=people.ZHOU_JIU,
        days_ago=0,
        kinds=("CR",),
        department="急诊科",
        description="左手正位",
        body_part="HAND",
        report="cr-hand",
        reason="外伤",
    ),
    _Row(
        key="wu-rt",
        patient=people.WU_SHI,
        days_ago=7,
        kinds=("RT",),
        department="放射治疗科",
        description="放疗计划",
        body_part="CHEST",
        report="rt",
    ),
    _Row(
        key="bin-dx",
        patient=people.GUI_BIN,
        days_ago=3,
        kinds=("DX", "SR"),
        department="放射科",
        description="体检胸部正位",
        body_part="CHEST",
        report="vip",
    ),
    _Row(
        key="li-again",
        patient=people.LI_SI_AGAIN,
        days_ago=365,
        kinds=("ECG",),
        door="stow",
        department="心电图室",
        description="静息心电图",
        body_part="HEART",
        report="ecg",
    ),
    _Row(
        key="yang-files",
        patient=people.YANG_LI,
        days_ago=0,
        kinds=("FILES",),
        door="stow",
        department="放射科",
        description="各种传输语法样例",
        body_part="",
    ),
)
