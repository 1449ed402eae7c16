"""The high-level anatomic regions by which studies are searched, from what images tell.

Implements RAD TF-3 6.X.6.4 (MADO, CID IHE-MADO1) over PS3.16 annex L (Body Part Examined) and
CID 4031. Pure; called by `compose_manifest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kernel.codes import Code

_HEAD_NECK: Final = Code("774007", "SCT", "Head and neck")
_UPPER_TRUNK: Final = Code("67734004", "SCT", "Upper trunk")
_LOWER_TRUNK: Final = Code("63337009", "SCT", "Lower trunk")
_UPPER_LIMB: Final = Code("53120007", "SCT", "Upper limb")
_LOWER_LIMB: Final = Code("61685007", "SCT", "Lower limb")
_BODY: Final = Code("38266002", "SCT", "Entire body")
_VESSELS: Final = Code("113257007", "SCT", "Cardiovascular system")
_HEART: Final = Code("80891009", "SCT", "Heart")
_BREAST: Final = Code("76752008", "SCT", "Breast")
_SPINE: Final = Code("1141981001", "SCT", "Vertebral column")

_PARTS: Final = {
    _HEAD_NECK: (
        (
            "HEAD BRAIN SKULL NECK HEADNECK FACE ORBIT EYE EAR JAW MAXILLA MANDIBLE SINUS NOSE "
            "TEETH CAROTID THYROID PITUITARY TMJ IAC LARYNX PHARYNX TONGUE"
        ),
        "69536005 12738006 45048000 89546000 81745001 69105007 774007",
    ),
    _UPPER_TRUNK: (
        "CHEST THORAX LUNG RIB STERNUM MEDIASTINUM UPPERTRUNK CLAVICLE SCAPULA ESOPHAGUS BRONCHUS",
        "51185008 39607008 72410000 67734004",
    ),
    _LOWER_TRUNK: (
        (
            "ABDOMEN PELVIS LIVER KIDNEY PANCREAS SPLEEN STOMACH COLON BLADDER PROSTATE UTERUS "
            "RECTUM LOWERTRUNK ABDOMENPELVIS GALLBLADDER OVARY INTESTINE DUODENUM"
        ),
        "818981001 113345001 818983003 12921003 816092008 10200004 64033007 63337009 416949008",
    ),
    _UPPER_LIMB: (
        "SHOULDER ARM HUMERUS ELBOW FOREARM WRIST HAND FINGER THUMB UPPERLIMB EXTREMITY_UPPER",
        "16982005 40983000 127949000 14975008 74670003 85562004 53120007 8205005 7569003",
    ),
    _LOWER_LIMB: (
        "HIP THIGH FEMUR KNEE LEG CALF ANKLE FOOT TOE LOWERLIMB EXTREMITY_LOWER PATELLA CALCANEUS",
        "24136001 68367000 72696002 30021000 70258002 56459004 61685007 29836001 29707007",
    ),
    _BODY: ("WHOLEBODY BODY", "38266002"),
    _VESSELS: ("AORTA ARTERY VEIN CARDIOVASCSYS ANGIO", "113257007 15825003"),
    _HEART: ("HEART CARDIAC CORONARYARTERY", "80891009 41801008"),
    _BREAST: ("BREAST", "76752008"),
    _SPINE: ("SPINE CSPINE TSPINE LSPINE SSPINE TLSPINE LSSPINE COCCYX SACRUM",
             "421060004 122494005 122495006 122496007 1141981001 54735007"),
}  # fmt: skip
_BY_NAME: Final = {name: region for region, (names, _) in _PARTS.items() for name in names.split()}
_BY_CODE: Final = {code: region for region, (_, codes) in _PARTS.items() for code in codes.split()}


def regions(body_parts: Iterable[str], anatomic_codes: Iterable[str]) -> tuple[Code, ...]:
    """Return the regions of Body Parts Examined and SNOMED codes of Anatomic Region Sequences.

    A study that tells nothing we know is found under the entire body: a search by region that
    leaves it out would hide it.
    """
    found: dict[Code, None] = {}
    for code in anatomic_codes:
        if code in _BY_CODE:
            found[_BY_CODE[code]] = None
    for part in body_parts:
        region = _BY_NAME.get(part.upper().replace(" ", ""))
        if region is not None:
            found[region] = None
    return tuple(found) or (_BODY,)
