"""Imaging manifests: what a Key Object Selection document tells of a study, and how it is read.

Implements RAD TF-2 4.68.4.1.2 (manifest content), PS3.3 A.35.4 (KOS IOD), PS3.16 TID 2010 and, of
MADO, RAD TF-3 6.X.2. Made by `manifest_document`; read by RAD-68 and by consumers' tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from kernel.codes import Code
from kernel.identifiers import dicom_uid
from repository.instances import charsets
from repository.instances.elements import Dataset
from repository.instances.header import InstanceHeader, read_header
from repository.instances.refusals import NotAManifest

KEY_OBJECT_SELECTION: Final = "1.2.840.10008.5.1.4.1.1.88.59"
MANIFEST: Final = Code("113030", "DCM", "Manifest")
MANIFEST_WITH_DESCRIPTION: Final = Code("MADOTEMP001", "99IHE", "Manifest with Description")
"""The document title of MADO until DICOM CP-2595 gives the code its final value."""
REJECTIONS: Final = frozenset({"113001", "113037", "113038", "113039"})
"""Document titles (DCM) that reject the instances they name (RAD TF-3 4.66, IOCM)."""
LIBRARY: Final = Code("111028", "DCM", "Image Library")
LIBRARY_GROUP: Final = Code("126200", "DCM", "Image Library Group")
MODALITY: Final = Code("121139", "DCM", "Modality")
TARGET_REGION: Final = Code("123014", "DCM", "Target Region")
SERIES_UID: Final = Code("112002", "DCM", "Series Instance UID")
SERIES_DESCRIPTION: Final = Code("MADOTEMP002", "99IHE", "Series Description")

_EVIDENCE: Final = 0x0040A375
_CONTENT: Final = 0x0040A730
_CONCEPT_NAME: Final = 0x0040A043


@dataclass(frozen=True, slots=True)
class ManifestInstance:
    """One instance that a manifest names."""

    series_uid: str
    sop_class_uid: str
    sop_uid: str
    number: str = ""
    frames: int = 0
    """Number of Frames where the SOP class has frames, else 0."""
    key_title: Code | None = None
    """Document title, when the instance is itself a Key Object Selection document."""
    key_description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSeries:
    """What a manifest with description tells of a series."""

    uid: str
    modality: str = ""
    description: str = ""
    number: str = ""
    date: str = ""
    time: str = ""
    region: Code | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestOrder:
    """An order that the study answers; `accession_authority` and `placer_authority` are OIDs."""

    accession_number: str
    accession_authority: str = ""
    placer_number: str = ""
    placer_authority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest tells; texts may be empty, `sop_uid` is the caller's to choose."""

    sop_uid: str
    study_uid: str
    instances: tuple[ManifestInstance, ...]
    created: datetime | None = None
    patient_id: str = ""
    patient_id_issuer: str = ""
    patient_id_authority: str = ""
    """OID of the patient identifier domain (Issuer of Patient ID Qualifiers)."""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    accession_number: str = ""
    orders: tuple[ManifestOrder, ...] = ()
    study_id: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    referring_physician_name: str = ""
    institution: str = ""
    retrieve_ae_title: str = ""
    retrieve_location_uid: str = ""
    """repositoryUniqueId of the imaging document source (RAD-69 asks there)."""
    retrieve_url: str = ""
    """Base URI of its WADO-RS service (RAD-107)."""
    series: tuple[ManifestSeries, ...] = ()
    """Descriptions; only manifests with description have them."""
    regions: tuple[Code, ...] = ()
    title: Code = field(default=MANIFEST)

    @property
    def described(self) -> bool:
        """Tell whether this is a manifest with description (MADO)."""
        return self.title.same_as(MANIFEST_WITH_DESCRIPTION)

    @property
    def modalities(self) -> frozenset[str]:
        """Return the modalities that the descriptions tell; empty when there are none."""
        return frozenset(one.modality for one in self.series if one.modality)

    @property
    def accession_numbers(self) -> frozenset[str]:
        """Return every accession number that the manifest carries."""
        told = {self.accession_number, *(order.accession_number for order in self.orders)}
        return frozenset(told - {""})


def read(octets: bytes) -> Manifest:
    """Read a manifest, described or not; raises NotAManifest for any other instance."""
    header = read_header(octets)
    if header.sop_class_uid != KEY_OBJECT_SELECTION:
        raise NotAManifest("the instance is not a Key Object Selection document")
    evidence = header.dataset.items(_EVIDENCE)
    found: list[ManifestInstance] = []
    place: dict[str, str] = {}
    for study in evidence:
        for series in study.items(0x00081115):
            for name, tag in (("uid", 0x0040E011), ("ae", 0x00080054), ("url", 0x00081190)):
                place[name] = place.get(name) or series.ascii(tag)
            found.extend(_instances(series))
    if not found:
        raise NotAManifest("the Key Object Selection document names no instance")
    library = _library(header.dataset)
    return Manifest(
        sop_uid=header.sop_uid,
        study_uid=dicom_uid(evidence[0].ascii(0x0020000D)),
        instances=tuple(found),
        patient_id=header.patient_id,
        patient_id_issuer=header.text(0x00100021),
        patient_id_authority=_universal(header.dataset, 0x00100024),
        patient_name=header.patient_name,
        patient_birth_date=header.patient_birth_date,
        patient_sex=header.patient_sex,
        accession_number=header.text(0x00080050),
        orders=_orders(header),
        study_id=header.text(0x00200010),
        study_date=header.text(0x00080020),
        study_time=header.text(0x00080030),
        study_description=header.text(0x00081030),
        referring_physician_name=header.text(0x00080090),
        institution=header.text(0x00080080),
        retrieve_ae_title=place["ae"],
        retrieve_location_uid=place["uid"],
        retrieve_url=place["url"],
        series=tuple(_series(header, group) for group in _named(library, LIBRARY_GROUP)),
        regions=tuple(
            code for item in _named(library, TARGET_REGION) if (code := _value(item)) is not None
        ),
        title=document_title(header.dataset) or Code("", "", ""),
    )


def document_title(dataset: Dataset) -> Code | None:
    """Return the concept name of a structured document's root, None when it has none."""
    names = dataset.items(_CONCEPT_NAME)
    return _code(names[0]) if names else None


def _instances(series: Dataset) -> list[ManifestInstance]:
    series_uid = dicom_uid(series.ascii(0x0020000E))
    return [
        ManifestInstance(
            series_uid, dicom_uid(item.ascii(0x00081150)), dicom_uid(item.ascii(0x00081155))
        )
        for item in series.items(0x00081199)
    ]


def _orders(header: InstanceHeader) -> tuple[ManifestOrder, ...]:
    return tuple(
        ManifestOrder(
            accession_number=_text(header, item, 0x00080050),
            accession_authority=_universal(item, 0x00080051),
            placer_number=_text(header, item, 0x00402016),
            placer_authority=_universal(item, 0x00400026),
        )
        for item in header.dataset.items(0x0040A370)
    )


def _library(dataset: Dataset) -> list[Dataset]:
    """Return the content items of the Image Library (TID 1600)."""
    return [
        item
        for library in _named(dataset.items(_CONTENT), LIBRARY)
        for item in library.items(_CONTENT)
    ]


def _series(header: InstanceHeader, group: Dataset) -> ManifestSeries:
    told = {
        (name.value, name.scheme): item
        for item in group.items(_CONTENT)
        if (name := document_title(item)) is not None
    }

    def item(code: Code) -> Dataset | None:
        return told.get((code.value, code.scheme))

    def text(code: Code, tag: int = 0x0040A160) -> str:
        found = item(code)
        return "" if found is None else _text(header, found, tag)

    modality, region = item(MODALITY), item(TARGET_REGION)
    code = _value(modality) if modality is not None else None
    return ManifestSeries(
        uid=text(SERIES_UID, 0x0040A124),
        modality="" if code is None else code.value,
        description=text(SERIES_DESCRIPTION),
        number=text(Code("113607", "DCM")),
        date=text(Code("MADOTEMP003", "99IHE"), 0x0040A121),
        time=text(Code("MADOTEMP004", "99IHE"), 0x0040A122),
        region=_value(region) if region is not None else None,
    )


def _named(items: tuple[Dataset, ...] | list[Dataset], concept: Code) -> list[Dataset]:
    return [
        item
        for item in items
        if (name := document_title(item)) is not None and name.same_as(concept)
    ]


def _value(item: Dataset) -> Code | None:
    codes = item.items(0x0040A168)
    return _code(codes[0]) if codes else None


def _universal(place: Dataset, tag: int) -> str:
    items = place.items(tag)
    return items[0].ascii(0x00400032) if items else ""


def _text(header: InstanceHeader, place: Dataset, tag: int) -> str:
    raw = place.raw(tag)
    return charsets.decode(raw, header.codecs).strip("\x00 ") if raw else ""


def _code(item: Dataset) -> Code:
    meaning = item.raw(0x00080104).decode("utf-8", "replace").strip("\x00 ")
    return Code(item.ascii(0x00080100), item.ascii(0x00080102), meaning)
