"""Colour pictures of the demo: endoscopy, fundus, whole-slide microscopy.

Implements the VL Endoscopic (PS3.3 A.32.1), Ophthalmic Photography 8 Bit (A.41) and VL Whole
Slide Microscopy (A.32.8) Image IODs; JPEG baseline, the slide as a tiled pyramid.
Called by `studies.generate`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    OphthalmicPhotography8BitImageStorage,
    VLEndoscopicImageStorage,
    VLWholeSlideMicroscopyImageStorage,
)

from kernel.identifiers import stable_uid
from server.demo.attributes import Exam, Series, code, colour_frames, header, instance, put
from server.demo.painting import (
    Canvas,
    Picture,
    blur,
    branches,
    clouds,
    generator,
    resize,
    taper,
    to_bytes,
)
from server.demo.ultrasound import jpeg

_TILE: Final = 256
_SLIDE_PIXEL_MM: Final = 0.001


def es_gastroscopy(exam: Exam, *, count: int = 6, seed: int = 0) -> list[Dataset]:
    """Return still pictures of a gastroscopy; a polyp is on the third and fourth."""
    template = header(
        exam,
        Series(
            modality="ES",
            number=1,
            description="胃镜",
            sop_class=VLEndoscopicImageStorage,
            device="Phantom Scope",
        ),
    )
    put(
        template,
        {
            "ImageType": ["ORIGINAL", "PRIMARY"],
            "PatientOrientation": "",
            "BurnedInAnnotation": "NO",
            "AcquisitionContextSequence": [],
            "AnatomicRegionSequence": code("69695003", "SCT", "Stomach"),
        },
    )
    result = []
    for index in range(count):
        picture = gastroscopy_picture(index, seed)
        result.append(colour_frames(instance(template, index + 1), [jpeg(picture)], (576, 720)))
    return result


def gastroscopy_picture(index: int, seed: int) -> NDArray[np.uint8]:
    """Return the RGB picture of a still."""
    return _mucosa(generator(f"es{index}", seed), polyp=index in {2, 3})


def _mucosa(random: np.random.Generator, *, polyp: bool) -> NDArray[np.uint8]:
    canvas = Canvas(720, 576, 0.2)
    cx, cy = random.uniform(-18, 18), random.uniform(-14, 14)
    dx, dy = canvas.x - np.float32(cx), canvas.y - np.float32(cy)
    radius, turn = np.hypot(dx, dy * np.float32(1.1)), np.arctan2(dy, dx)
    wobble = clouds(random, 576, 720, [(6, 1.0), (14, 0.4)])
    tunnel = np.log1p(radius / 4) * 6.2 + wobble * 0.8 + 0.5 * np.sin(3 * turn)
    light = 0.62 + 0.22 * np.sin(tunnel) + 0.06 * np.sin(2 * tunnel + 1)
    light *= np.clip((radius - 5) / 42, 0.05, 1) ** 0.6
    light += clouds(random, 576, 720, [(40, 0.03), (110, 0.03)])
    red, green, blue = 1.0 * light + 0.08, 0.53 * light + 0.0, 0.42 * light
    vessels = np.exp(-np.abs(clouds(random, 576, 720, [(9, 1.0), (18, 0.7)])) * 26)
    green = green - 0.10 * vessels * light
    blue = blue - 0.08 * vessels * light
    if polyp:
        hill = np.hypot((canvas.x - 22) / 13, (canvas.y - 12) / 11)
        dome = np.sqrt(np.clip(1 - hill * hill, 0, 1))
        side = np.clip(0.55 + 0.4 * dome - 0.012 * (canvas.x - 22 + canvas.y - 12), 0, 1)
        cover = np.clip((1 - hill) * 14, 0, 1)
        red = red + cover * (side * 1.05 - red)
        green = green + cover * (side * 0.42 - green)
        blue = blue + cover * (side * 0.36 - blue)
    wet = np.clip(clouds(random, 576, 720, [(22, 1.0), (50, 0.6)]) - 1.35, 0, 1) * 2.2
    wet = np.clip(wet, 0, 1) * np.clip(light * 1.4, 0, 1)
    frame = np.stack([red, green, blue], axis=2) * 235
    frame += (250 - frame) * wet[..., None]
    corner = np.abs(canvas.x) + np.abs(canvas.y)
    inside = (np.abs(canvas.x) < 62) & (np.abs(canvas.y) < 55) & (corner < 96)
    return to_bytes((frame * inside[..., None]).astype(np.float32))


def op_fundus(exam: Exam, *, seed: int = 0) -> list[Dataset]:
    """Return a colour fundus photograph of either eye."""
    template = header(
        exam,
        Series(
            modality="OP",
            number=1,
            description="眼底照相",
            device="Phantom Fundus",
            sop_class=OphthalmicPhotography8BitImageStorage,
        ),
    )
    put(
        template,
        {
            "ImageType": ["ORIGINAL", "PRIMARY"],
            "PatientOrientation": ["L", "F"],
            "BurnedInAnnotation": "NO",
            "AcquisitionContextSequence": [],
            "AnatomicRegionSequence": code("5665001", "SCT", "Retina"),
            "DetectorType": "CMOS",
            "HorizontalFieldOfView": 45,
            "AcquisitionDeviceTypeCodeSequence": code("409898007", "SCT", "Fundus Camera"),
            "LightPathFilterTypeStackCodeSequence": [],
            "IlluminationTypeCodeSequence": [],
            "ImagePathFilterTypeStackCodeSequence": [],
            "LensesCodeSequence": [],
            "EmmetropicMagnification": None,
            "IntraOcularPressure": None,
            "RefractiveStateSequence": [],
            "PupilDilated": "NO",
            "FrameTime": 0,
            "SynchronizationTrigger": "NO TRIGGER",
            "AcquisitionTimeSynchronized": "N",
            "SynchronizationFrameOfReferenceUID": stable_uid(exam.study_uid, "clock"),
            "FrameIncrementPointer": 0x00181063,
            "PatientEyeMovementCommanded": "NO",
            "PixelSpacing": [0.012, 0.012],
            "AcquisitionDateTime": exam.when.strftime("%Y%m%d%H%M%S"),
        },
    )
    result = []
    for number, side in ((1, "R"), (2, "L")):
        picture = _fundus(generator(f"op{side}", seed), -1 if side == "R" else 1)
        ds = instance(template, number, {"ImageLaterality": side, "NumberOfFrames": 1})
        result.append(colour_frames(ds, [jpeg(picture)], (768, 768)))
    return result


def _fundus(random: np.random.Generator, side: int) -> NDArray[np.uint8]:
    canvas = Canvas(768, 768, 0.03)
    radius = np.hypot(canvas.x, canvas.y)
    base = 0.86 - 0.03 * radius + 0.05 * clouds(random, 768, 768, [(7, 0.8), (24, 0.5)])
    disc = (-side * 3.9, 0.2)
    tips: list[tuple[float, ...]] = [
        (side * 5.0, -6.5),
        (side * 6.0, 6.2),
        (-side * 8.5, -6.5),
        (-side * 8.5, 6.8),
        (side * 2.0, -9.4),
        (side * 2.5, 9.2),
        (side * 8.8, -3.4),
        (side * 8.6, 3.9),
        (-side * 2.5, -9.8),
        (-side * 3.0, 9.8),
        (-side * 10, 1.0),
    ]
    vessels = Canvas(768, 768, 0.03)
    for wide, pale in ((0.17, 0.75), (0.10, 0.5)):
        path = branches(random, disc, tips, 240, taper(wide, 0.8, 0.025))
        for x, y, r in path.tolist():
            vessels.spot((x, y), r, pale)
    dark = blur(vessels.image, 0.7)
    macula = np.exp(-(((canvas.x - side * 1.8) / 1.3) ** 2 + ((canvas.y - 0.5) / 1.3) ** 2))
    cup = np.hypot(canvas.x - disc[0], (canvas.y - disc[1]) * 0.92)
    pale = np.clip((1.15 - cup) * 5, 0, 1)
    red = base * 0.95 - 0.20 * dark - 0.16 * macula
    green = base * 0.43 - 0.27 * dark - 0.16 * macula
    blue = base * 0.17 - 0.10 * dark - 0.06 * macula
    bright = pale * (1 - 0.62 * dark) * (0.85 + 0.15 * np.clip(1 - cup / 0.5, 0, 1))
    red = red + bright * (1.0 - red) * 0.95
    green = green + bright * (0.82 - green)
    blue = blue + bright * (0.5 - blue)
    inside = np.clip((10.9 - radius) * 12, 0, 1)
    frame = np.stack([red, green, blue], axis=2) * inside[..., None] * 240
    return to_bytes(frame.astype(np.float32))


def sm_slide(exam: Exam, *, size: int = 1024, seed: int = 0) -> list[Dataset]:
    """Return a stained slide as a tiled pyramid: `size`, halved until one tile is left."""
    random = generator("sm", seed)
    whole = _stained_tissue(random, size)
    template = header(
        exam,
        Series(
            modality="SM",
            number=1,
            description="HE 染色",
            device="Phantom Scanner",
            sop_class=VLWholeSlideMicroscopyImageStorage,
        ),
    )
    result = []
    level = 0
    while size >> level >= _TILE:
        side = size >> level
        picture = to_bytes(
            np.stack(
                [resize(whole[..., c], side, side) if level else whole[..., c] for c in range(3)], 2
            )
        )
        tiles = [
            jpeg(np.ascontiguousarray(picture[top : top + _TILE, left : left + _TILE]))
            for top in range(0, side, _TILE)
            for left in range(0, side, _TILE)
        ]
        ds = instance(template, level + 1, _slide_values(exam, side, level, len(tiles)))
        result.append(colour_frames(ds, tiles, (_TILE, _TILE)))
        level += 1
    return result


def _slide_values(exam: Exam, side: int, level: int, frames: int) -> dict[str, Any]:
    pixel = _SLIDE_PIXEL_MM * (1 << level)
    flavour = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    if level:
        flavour = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
    return {
        "ImageType": flavour,
        "AcquisitionDateTime": exam.when.strftime("%Y%m%d%H%M%S"),
        "AcquisitionDuration": 40,
        "NumberOfFrames": frames,
        "BurnedInAnnotation": "NO",
        "TotalPixelMatrixColumns": side,
        "TotalPixelMatrixRows": side,
        "TotalPixelMatrixOriginSequence": {
            "XOffsetInSlideCoordinateSystem": 20,
            "YOffsetInSlideCoordinateSystem": 40,
        },
        "ImageOrientationSlide": [0, -1, 0, -1, 0, 0],
        "ImagedVolumeWidth": side * pixel,
        "ImagedVolumeHeight": side * pixel,
        "ImagedVolumeDepth": 3,
        "SpecimenLabelInImage": "NO",
        "FocusMethod": "AUTO",
        "ExtendedDepthOfField": "NO",
        "VolumetricProperties": "VOLUME",
        "PositionReferenceIndicator": "SLIDE_CORNER",
        "LossyImageCompression": "01",
        "FrameOfReferenceUID": stable_uid(exam.study_uid, "slide"),
        "DimensionOrganizationType": "TILED_FULL",
        "TotalPixelMatrixFocalPlanes": 1,
        "NumberOfOpticalPaths": 1,
        "PyramidUID": stable_uid(exam.study_uid, "pyramid"),
        "DimensionOrganizationSequence": {
            "DimensionOrganizationUID": stable_uid(exam.study_uid, "dimensions")
        },
        "DimensionIndexSequence": [
            {
                "DimensionOrganizationUID": stable_uid(exam.study_uid, "dimensions"),
                "DimensionIndexPointer": pointer,
                "FunctionalGroupPointer": 0x0048021A,
            }
            for pointer in (0x0048021E, 0x0048021F)
        ],
        "ContainerIdentifier": f"S-{exam.accession[-6:]}",
        "IssuerOfTheContainerIdentifierSequence": [],
        "ContainerTypeCodeSequence": code("433466003", "SCT", "Microscope slide"),
        "AcquisitionContextSequence": [],
        "SpecimenDescriptionSequence": {
            "SpecimenIdentifier": f"S-{exam.accession[-6:]}-A1",
            "SpecimenUID": stable_uid(exam.study_uid, "specimen"),
            "IssuerOfTheSpecimenIdentifierSequence": [],
            "SpecimenPreparationSequence": [],
        },
        "OpticalPathSequence": {
            "OpticalPathIdentifier": "1",
            "IlluminationTypeCodeSequence": code("111744", "DCM", "Brightfield illumination"),
            "IlluminationColorCodeSequence": code("414298005", "SCT", "Full Spectrum"),
            "ICCProfile": srgb_profile(),
        },
        "SharedFunctionalGroupsSequence": {
            "PixelMeasuresSequence": {"PixelSpacing": [pixel, pixel], "SliceThickness": 0.003},
            "WholeSlideMicroscopyImageFrameTypeSequence": {"FrameType": flavour},
            "OpticalPathIdentificationSequence": {"OpticalPathIdentifier": "1"},
        },
        "InstanceCreationDate": exam.when.strftime("%Y%m%d"),
    }


def srgb_profile() -> bytes:
    """Return an sRGB ICC profile, made by Pillow, its date fixed so that bytes repeat."""
    from PIL import ImageCms  # noqa: PLC0415 - needed for slides only

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes((7, 234, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    profile[84:100] = bytes(16)
    return bytes(profile) + b"\0" * (len(profile) % 2)


def _stained_tissue(random: np.random.Generator, size: int) -> Picture:
    canvas = Canvas(size, size, 1.0)
    shape = clouds(random, size, size, [(3, 0.5), (7, 0.35)])
    tissue = np.clip((0.95 - np.hypot(canvas.x, canvas.y) / (size * 0.5) + shape * 0.5) * 8, 0, 1)
    glands = clouds(random, size, size, [(9, 1.0), (16, 0.4)])
    lumen = np.clip((glands - 0.75) * 6, 0, 1)
    rim = np.exp(-(((glands - 0.45) * 3.2) ** 2))
    fibres = clouds(random, size, size, [(26, 0.5), (90, 0.6), (200, 0.4)])
    eosin = tissue * (1 - 0.92 * lumen) * np.clip(0.62 + 0.16 * fibres + 0.15 * rim, 0.1, 1)
    nuclei = Canvas(size, size, 1.0)
    wanted = np.clip(0.10 + 0.9 * rim, 0, 1) * tissue * (1 - lumen)
    half = (size - 1) / 2
    for x, y in random.uniform(-half, half, (size * size // 150, 2)).tolist():
        if random.uniform() < wanted[int(y + half), int(x + half)]:
            radii = (float(random.uniform(3.2, 5.6)), float(random.uniform(2.4, 3.8)))
            nuclei.ellipse(
                (x, y),
                radii,
                float(random.uniform(0.55, 0.95)),
                angle=float(random.uniform(0, 3.1)),
            )
    blue = blur(nuclei.image, 0.7)
    density = np.stack(
        [0.10 * eosin + 1.05 * blue, 0.62 * eosin + 1.25 * blue, 0.22 * eosin + 0.55 * blue], axis=2
    )
    grain = random.standard_normal((size, size, 1)).astype(np.float32) * np.float32(1.8)
    picture: Picture = (243 * np.exp(-density) + grain).astype(np.float32)
    return picture
