"""The invented patients, campuses and departments of the demo.

Names are the counting names of Chinese examples (Zhang San, Li Si, ...): no living person is
meant. PN groups as in PS3.5 6.2.1; character sets as in PS3.3 C.12.1.1.2.
Called by every module of this package.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Patient:
    """A patient as the hospital's registration knows him."""

    id: str
    alphabetic: str
    ideographic: str
    phonetic: str = ""
    sex: str
    birth_date: date
    charset: str
    """Specific Character Set of this patient's studies; backslashes separate values."""
    campus: str
    phone: str
    address: str
    vip: bool = False

    @property
    def person_name(self) -> str:
        """Return the PN value: alphabetic=ideographic[=phonetic]."""
        groups = [self.alphabetic, self.ideographic, self.phonetic]
        return "=".join(groups).rstrip("=")

    @property
    def display_name(self) -> str:
        """Return the name as it is written in Chinese."""
        return self.ideographic.replace("^", "")


MAIN: Final = "片库示范医院本部"
EAST: Final = "片库示范医院东院区"
RIVERSIDE: Final = "片库示范医院滨江院区"
CAMPUSES: Final = (MAIN, EAST, RIVERSIDE)

UTF_8: Final = "ISO_IR 192"
GB18030: Final = "GB18030"
GBK: Final = "GBK"
GB2312: Final = "\\ISO 2022 IR 58"


def _patient(
    id_: str,
    names: tuple[str, str],
    facts: tuple[str, date, str, str],
    *,
    vip: bool = False,
    phonetic: str = "",
) -> Patient:
    sex, birth_date, charset, campus = facts
    return Patient(
        id=id_,
        alphabetic=names[0],
        ideographic=names[1],
        phonetic=phonetic,
        sex=sex,
        birth_date=birth_date,
        charset=charset,
        campus=campus,
        vip=vip,
        phone=f"1390000{id_[-4:]}",
        address=f"示范市样例路{int(id_[-2:])}号",
    )


ZHANG_SAN: Final = _patient(
    "PK100001",
    ("Zhang^San Demo", "张^三"),
    ("M", date(1961, 3, 14), UTF_8, MAIN),
    phonetic="Zhāng^Sān",
)
LI_SI: Final = _patient("PK100002", ("Li^Si Demo", "李^四"), ("F", date(1974, 9, 2), GB18030, MAIN))
WANG_WU: Final = _patient(
    "PK100003", ("Wang^Wu Demo", "王^五"), ("M", date(1955, 12, 30), GBK, EAST)
)
ZHAO_LIU: Final = _patient(
    "PK100004", ("Zhao^Liu Demo", "赵^六"), ("F", date(1989, 6, 21), UTF_8, EAST)
)
QIAN_QI: Final = _patient(
    "PK100005", ("Qian^Qi Demo", "钱^七"), ("M", date(1948, 1, 9), GB2312, RIVERSIDE)
)
SUN_BA: Final = _patient(
    "PK100006", ("Sun^Ba Demo", "孙^八"), ("F", date(1995, 8, 18), GB18030, RIVERSIDE)
)
ZHOU_JIU: Final = _patient(
    "PK100007", ("Zhou^Jiu Demo", "周^九"), ("M", date(2016, 5, 1), UTF_8, EAST)
)
WU_SHI: Final = _patient(
    "PK100008", ("Wu^Shi Demo", "吴^十"), ("F", date(1966, 11, 11), GB2312, MAIN)
)
GUI_BIN: Final = _patient(
    "PK100009", ("Gui^Bin Demo", "桂^宾"), ("M", date(1970, 10, 1), UTF_8, MAIN), vip=True
)
LI_SI_AGAIN: Final = _patient(
    "BJ200417", ("Li^Si Demo", "李^四"), ("F", date(1974, 9, 2), GBK, RIVERSIDE)
)
YANG_LI: Final = _patient(
    "PK100010", ("Yang^Li Demo", "样^例"), ("O", date(1980, 1, 1), UTF_8, MAIN)
)

PATIENTS: Final = (
    ZHANG_SAN,
    LI_SI,
    WANG_WU,
    ZHAO_LIU,
    QIAN_QI,
    SUN_BA,
    ZHOU_JIU,
    WU_SHI,
    GUI_BIN,
    LI_SI_AGAIN,
    YANG_LI,
)
"""`LI_SI_AGAIN` is the same person as `LI_SI`, registered twice; `GUI_BIN` is a VIP."""

DEPARTMENTS: Final = (
    "放射科",
    "CT室",
    "磁共振室",
    "超声科",
    "核医学科",
    "介入导管室",
    "心电图室",
    "病理科",
    "消化内镜中心",
    "乳腺影像室",
    "放射治疗科",
    "眼科",
    "急诊科",
    "儿科",
)
