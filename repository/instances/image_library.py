"""The Image Library of a manifest with description: what a reader may know without the images.

Implements PS3.16 TID 1600, 1601, 1602 as RAD TF-3 6.X.2.9 (MADO) wants them.
Called by `manifest_document`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from pydicom.dataset import Dataset as PydicomDataset
from pydicom.sequence import Sequence as PydicomSequence
from pydicom.uid import UID

from kernel.codes import Code
from repository.instances.manifest import (
    LIBRARY,
    LIBRARY_GROUP,
    MODALITY,
    SERIES_DESCRIPTION,
    SERIES_UID,
    TARGET_REGION,
    Manifest,
    ManifestInstance,
    ManifestSeries,
)

_SERIES_COUNT: Final = Code("MADOTEMP009", "99IHE", "Number of Study Related Series")
_SERIES_DATE: Final = Code("MADOTEMP003", "99IHE", "Series Date")
_SERIES_TIME: Final = Code("MADOTEMP004", "99IHE", "Series Time")
_SERIES_NUMBER: Final = Code("113607", "DCM", "Series Number")
_INSTANCE_COUNT: Final = Code("MADOTEMP007", "99IHE", "Number of Series Related Instances")
_INSTANCE_NUMBER: Final = Code("113609", "DCM", "Instance Number")
_FRAMES: Final = Code("121140", "DCM", "Number of Frames")
_DOCUMENT_TITLE: Final = Code("121144", "DCM", "Document Title")
_KEY_DESCRIPTION: Final = Code("113012", "DCM", "Key Object Description")
_CONTEXT: Final = "HAS ACQ CONTEXT"


def image_library(manifest: Manifest) -> PydicomDataset:
    """Return the content item that describes the study, its series and its instances."""
    by_series: dict[str, list[ManifestInstance]] = {one.uid: [] for one in manifest.series}
    for instance in manifest.instances:
        by_series.setdefault(instance.series_uid, []).append(instance)
    described = {one.uid: one for one in manifest.series}
    groups = [
        _group(described.get(uid) or ManifestSeries(uid=uid), instances)
        for uid, instances in by_series.items()
        if instances
    ]
    content = [_code(MODALITY, Code(m, "DCM", m)) for m in sorted(manifest.modalities)]
    content += [_code(TARGET_REGION, region) for region in manifest.regions]
    content.append(_count(_SERIES_COUNT, len(groups), "series"))
    return _container(LIBRARY, [*content, *groups])


def value_type(sop_class_uid: str) -> str:
    """Return how TID 2010 refers to an instance: by the kind of its SOP class."""
    name = UID(sop_class_uid).name
    if "Image Storage" in name:
        return "IMAGE"
    if "Waveform Storage" in name or "ECG" in name:
        return "WAVEFORM"
    return "COMPOSITE"


def coded(code: Code) -> PydicomDataset:
    """Return a code as an item of a code sequence."""
    item = PydicomDataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = code.display or code.value
    return item


def _group(series: ManifestSeries, instances: Sequence[ManifestInstance]) -> PydicomDataset:
    content: list[PydicomDataset] = []
    if series.modality:
        content.append(_code(MODALITY, Code(series.modality, "DCM", series.modality)))
    if series.date:
        content.append(_item(_SERIES_DATE, "DATE", Date=series.date))
    if series.time:
        content.append(_item(_SERIES_TIME, "TIME", Time=series.time))
    content += _texts(((SERIES_DESCRIPTION, series.description), (_SERIES_NUMBER, series.number)))
    content.append(_item(SERIES_UID, "UIDREF", UID=series.uid))
    if series.region is not None:
        content.append(_code(TARGET_REGION, series.region))
    content.append(_count(_INSTANCE_COUNT, len(instances), "instances"))
    return _container(LIBRARY_GROUP, [*content, *map(_entry, instances)])


def _entry(instance: ManifestInstance) -> PydicomDataset:
    """Return one instance (TID 1601) with what is told of it (TID 1602, of a KOS its title)."""
    content: list[PydicomDataset] = []
    if instance.frames:
        content.append(_count(_FRAMES, instance.frames, "frames"))
    content += _texts(((_INSTANCE_NUMBER, instance.number),))
    if instance.key_title is not None:
        content.append(_code(_DOCUMENT_TITLE, instance.key_title))
        content += _texts(((_KEY_DESCRIPTION, instance.key_description),))
    reference = PydicomDataset()
    reference.ReferencedSOPClassUID = instance.sop_class_uid
    reference.ReferencedSOPInstanceUID = instance.sop_uid
    item = PydicomDataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = value_type(instance.sop_class_uid)
    item.ReferencedSOPSequence = PydicomSequence([reference])
    if content:
        item.ContentSequence = PydicomSequence(content)
    return item


def _container(concept: Code, content: Iterable[PydicomDataset]) -> PydicomDataset:
    item = PydicomDataset()
    item.RelationshipType = "CONTAINS"
    item.ValueType = "CONTAINER"
    item.ConceptNameCodeSequence = PydicomSequence([coded(concept)])
    item.ContinuityOfContent = "SEPARATE"
    item.ContentSequence = PydicomSequence(content)
    return item


def _item(concept: Code, kind: str, **attributes: str) -> PydicomDataset:
    item = PydicomDataset()
    item.RelationshipType = _CONTEXT
    item.ValueType = kind
    item.ConceptNameCodeSequence = PydicomSequence([coded(concept)])
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def _texts(told: Iterable[tuple[Code, str]]) -> list[PydicomDataset]:
    return [_item(concept, "TEXT", TextValue=text) for concept, text in told if text]


def _code(concept: Code, value: Code) -> PydicomDataset:
    item = _item(concept, "CODE")
    item.ConceptCodeSequence = PydicomSequence([coded(value)])
    return item


def _count(concept: Code, count: int, unit: str) -> PydicomDataset:
    measured = PydicomDataset()
    measured.NumericValue = str(count)
    measured.MeasurementUnitsCodeSequence = PydicomSequence(
        [coded(Code(f"{{{unit}}}", "UCUM", unit))]
    )
    item = _item(concept, "NUM")
    item.MeasuredValueSequence = PydicomSequence([measured])
    return item
