"""A frame as a picture: grey or colour, overlays, shutters, a presentation state, then JPEG or PNG.

Implements PS3.18 8.3.5 and 10.4.1.1.3 (rendered resources) in the order of PS3.4 N.2. Pure
functions; called by adapters in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image, ImageCms

from repository.instances import drawing, grey, overlays, palettes, presentation_states
from repository.instances.elements import Dataset
from repository.instances.grey import GreyTransform, Window
from repository.instances.header import InstanceHeader
from repository.instances.pixels import Samples, decode
from repository.instances.presentation_states import Area
from repository.instances.refusals import NoPixelData, NotRenderable

__all__ = ["FORMATS", "GIF", "JPEG", "PNG", "Rendering", "Window", "document", "render"]

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
GIF: Final = "image/gif"
FORMATS: Final = {JPEG: "JPEG", PNG: "PNG", GIF: "GIF"}
THUMBNAIL_SIDE: Final = 128
MAX_ENLARGED: Final = 1 << 24
"""The most pixels that a picture is enlarged to."""
MAX_ANIMATED: Final = 1 << 26
"""The most pixels of all frames of an animated picture."""
_TURNS: Final = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Rendering:
    """What picture is asked for (PS3.18 8.3.5)."""

    media_type: str = JPEG
    quality: int = 90
    window: Window | None = None
    viewport: tuple[int, int] | None = None
    """The most columns and rows of the picture; it keeps its aspect."""
    region: tuple[int, int, int, int] | None = None
    """Left, top, width, height in source pixels to cut out before scaling."""
    mirrored: tuple[bool, bool] = (False, False)
    """Whether it is flipped from left to right, and from top to bottom."""
    enlarged: bool = False
    """Whether a picture smaller than the viewport grows to it."""
    annotation: tuple[str, ...] = ()
    colour_profile: str = ""
    """`no`, `yes` or `srgb`; empty: the profile of the image if it has one."""
    state: str = ""
    """Key of the presentation state by which it is shown."""
    version: int = 2
    """Raised whenever the same is drawn otherwise: what was kept, here or by a client, is old."""


def render(
    header: InstanceHeader,
    octets: bytes,
    number: int,
    wanted: Rendering,
    state: InstanceHeader | None = None,
) -> bytes:
    """Return frame `number`, whose stored octets are given, as a picture."""
    if wanted.media_type not in FORMATS:
        raise NotRenderable("no such media type", media_type=wanted.media_type)
    image = _picture(header, octets, number, wanted, state)
    target = BytesIO()
    if wanted.media_type == JPEG:
        options: dict[str, Any] = {"quality": wanted.quality}
    else:
        options = {}
    profile = _profile(header.dataset, image, wanted.colour_profile)
    if profile and wanted.media_type != GIF:
        options["icc_profile"] = profile
    if wanted.colour_profile == "srgb":
        image = _as_srgb(header.dataset, image)
    image.save(target, FORMATS[wanted.media_type], **options)
    return target.getvalue()


def animate(
    header: InstanceHeader, frames: Iterable[tuple[int, bytes]], wanted: Rendering
) -> bytes:
    """Return frames as an animated GIF as fast as the header says; raises NotRenderable."""
    pictures: list[Image.Image] = []
    pixels = 0
    for number, octets in frames:
        if not pictures and wanted.window is None:
            # One window for all, so that the film does not flicker.
            wanted = replace(wanted, window=_statistical(header, octets, number))
        pictures.append(_picture(header, octets, number, wanted, None))
        pixels += pictures[-1].width * pictures[-1].height
        if pixels > MAX_ANIMATED:
            raise NotRenderable("the animation is too large: ask for a smaller viewport")
    if not pictures:
        raise NoPixelData("the instance has no frames")
    times = grey.decimals(header.dataset, 0x00181063)
    rate = header.dataset.integer(0x00082144, 0) or header.dataset.integer(0x00180040, 0) or 0
    milliseconds = times[0] if times and times[0] > 0 else 1000 / rate if rate > 0 else 100
    target = BytesIO()
    pictures[0].save(
        target,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=int(min(max(milliseconds, 20), 5000)),
        loop=0,
    )
    return target.getvalue()


def grey_or_rgb(
    header: InstanceHeader,
    octets: bytes,
    number: int,
    window: Window | None = None,
    state: InstanceHeader | None = None,
) -> Samples:
    """Return a frame as 8-bit grey or RGB samples, ready to look at."""
    samples, photometric = decode(header, octets)
    if photometric == "PALETTE COLOR":
        return palettes.coloured(header.dataset, samples)
    if samples.ndim == 3:
        return _eight_bit_colour(header.dataset, samples)
    shown = _grey(header, samples, number, window, state)
    if state is not None and state.sop_class_uid == presentation_states.PSEUDO_COLOUR:
        return palettes.pseudo_coloured(state.dataset, shown)
    return shown


def document(header: InstanceHeader) -> tuple[str, bytes]:
    """Return media type and octets of an encapsulated document (PS3.3 C.24)."""
    body = header.dataset.raw(0x00420011)
    if not body:
        raise NoPixelData("the instance holds neither image nor document")
    length = header.dataset.integer(0x00420015, 0) or 0
    if 0 < length <= len(body):
        body = body[:length]
    return header.dataset.ascii(0x00420012) or "application/octet-stream", body


def _picture(
    header: InstanceHeader,
    octets: bytes,
    number: int,
    wanted: Rendering,
    state: InstanceHeader | None,
) -> Image.Image:
    samples = grey_or_rgb(header, octets, number, wanted.window, state)
    samples = _covered(header, octets, number, samples, state)
    image = Image.fromarray(samples)
    area = _area(header, image, number, wanted, state)
    turned = presentation_states.turn_of(state) if state is not None else (0, False)
    geometry = _Geometry(area, turned, wanted.mirrored)
    image = geometry.shown(image, wanted)
    if state is not None:
        drawing.draw_graphics(image, state, header.sop_uid, number, geometry.place(image))
    if wanted.annotation:
        drawing.burn_in(image, header, number, wanted.annotation)
    return image


def _eight_bit_colour(dataset: Dataset, samples: Samples) -> Samples:
    stored = dataset.integer(0x00280101, 8) or 8
    if samples.dtype == np.uint8:
        return np.ascontiguousarray(samples[..., :3])
    return (samples[..., :3] >> max(0, stored - 8)).astype(np.uint8)


def _grey(
    header: InstanceHeader,
    samples: Samples,
    number: int,
    window: Window | None,
    state: InstanceHeader | None,
) -> Samples:
    dataset = header.dataset
    # MONOCHROME1 and the shape INVERSE are one inversion, told twice (PS3.3 Table C.7-9).
    inverse = dataset.ascii(0x00280004) == "MONOCHROME1" or (dataset.ascii(0x20500020) == "INVERSE")
    if samples.dtype.kind in "iu" and (dataset.integer(0x00280101, 8) or 8) == 1:
        mask: Samples = ((samples != 0) ^ inverse).astype(np.uint8) * 255
        return mask
    if state is not None:
        return presentation_states.grey_of(state, header, number, window).shown(samples)
    modality = grey.table_of(dataset, grey.MODALITY_LUT_SEQUENCE)
    slope, intercept = (1.0, 0.0) if modality is not None else _rescale(dataset, number)
    voi = window or _window(dataset, number) or grey.table_of(dataset, grey.VOI_LUT_SEQUENCE)
    transform = GreyTransform(slope, intercept, modality, voi, inverse=inverse)
    if voi is None:
        transform = replace(transform, voi=grey.full_range(dataset, samples, transform))
    return transform.shown(samples)


def _statistical(header: InstanceHeader, octets: bytes, number: int) -> Window | None:
    """Return the window that a frame gets by what it holds, None when the header tells how."""
    samples, _photometric = decode(header, octets)
    dataset = header.dataset
    if samples.ndim == 3 or _window(dataset, number) is not None:
        return None
    if any(dataset.items(tag) for tag in (grey.MODALITY_LUT_SEQUENCE, grey.VOI_LUT_SEQUENCE)):
        return None
    return grey.full_range(dataset, samples, GreyTransform(*_rescale(dataset, number)))


def _groups(dataset: Dataset, number: int) -> list[Dataset]:
    """Return the functional groups of a frame, its own before the shared ones (C.7.6.16)."""
    own = dataset.items(0x52009230)
    found = [own[number - 1]] if 0 < number <= len(own) else []
    return [*found, *dataset.items(0x52009229)[:1]]


def _places(dataset: Dataset, number: int, sequence: int) -> list[Dataset]:
    return [dataset] + [
        item for group in _groups(dataset, number) for item in group.items(sequence)
    ]


def _rescale(dataset: Dataset, number: int) -> tuple[float, float]:
    for place in _places(dataset, number, 0x00289145):
        found = grey.rescale_of(place)
        if found is not None:
            return found
    return 1.0, 0.0


def _window(dataset: Dataset, number: int) -> Window | None:
    for place in _places(dataset, number, 0x00289132):
        found = grey.window_of(place)
        if found is not None:
            return found
    return None


def _covered(
    header: InstanceHeader,
    octets: bytes,
    number: int,
    samples: Samples,
    state: InstanceHeader | None,
) -> Samples:
    """Return the picture with its overlays in white, and what a shutter hides in its grey."""
    rows, columns = samples.shape[:2]
    planes = []
    if overlays.has_overlays(header.dataset):
        planes = [*overlays.overlays(header.dataset, number), *overlays.embedded(header, octets)]
    told = header.dataset
    if state is not None:
        active = presentation_states.active_overlays(state)
        own = list(overlays.overlays(state.dataset, number))
        planes = [one for one in (*planes, *own) if one.group in active]
        told = state.dataset
    hidden = overlays.shutter(told, rows, columns)
    if not planes and hidden is None:
        return samples
    samples = samples.copy()
    for plane in planes:
        samples[plane.mask(rows, columns)] = 255
    if hidden is not None:
        samples[hidden[0]] = hidden[1]
    return samples


def _area(
    header: InstanceHeader,
    image: Image.Image,
    number: int,
    wanted: Rendering,
    state: InstanceHeader | None,
) -> Area:
    """Return what is cut out: the request's region goes before the state's displayed area."""
    told = presentation_states.area_of(state, header, number) if state is not None else None
    aspect = told.aspect if told is not None else _aspect(header.dataset)
    if wanted.region is not None:
        left, top, width, height = wanted.region
        if left >= image.width or top >= image.height:
            raise NotRenderable("the region lies outside of the image")
        width, height = min(width, image.width - left), min(height, image.height - top)
        return Area(left, top, width, height, aspect)
    if told is not None and told.width * told.height <= 4 * max(
        image.width * image.height, 1 << 20
    ):
        return told
    return Area(0, 0, image.width, image.height, aspect)


def _aspect(dataset: Dataset) -> float:
    """Return height by width of a pixel (PS3.3 C.7.6.3.1.7)."""
    ratio = grey.decimals(dataset, 0x00280034)
    if len(ratio) == 2 and min(ratio) > 0 and 0.05 < ratio[0] / ratio[1] < 20:
        return ratio[0] / ratio[1]
    return 1.0


class _Geometry:
    """Cuts out, turns, flips and scales; tells where a point of the source is then."""

    def __init__(self, area: Area, turned: tuple[int, bool], mirrored: tuple[bool, bool]) -> None:
        self._area = area
        self._degrees, self._flipped = turned
        self._mirrored = (mirrored[0] != self._flipped, mirrored[1])

    def shown(self, image: Image.Image, wanted: Rendering) -> Image.Image:
        """Return the image as it is seen."""
        area = self._area
        if (area.left, area.top, area.width, area.height) != (0, 0, image.width, image.height):
            image = image.crop(
                (area.left, area.top, area.left + area.width, area.top + area.height)
            )
        if area.aspect != 1.0:
            wider = area.aspect < 1.0
            width = round(image.width / area.aspect) if wider else image.width
            height = image.height if wider else round(image.height * area.aspect)
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        if self._degrees:
            image = image.transpose(_TURNS[self._degrees])
        if self._mirrored[0]:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self._mirrored[1]:
            image = image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        return _fitted(image, wanted)

    def place(self, image: Image.Image) -> Callable[[float, float, bool], tuple[float, float]]:
        """Return where points of the source lie in the picture as it is seen."""
        area = self._area

        def place(x: float, y: float, in_display: bool) -> tuple[float, float]:
            if in_display:
                return x * image.width, y * image.height
            x, y = (x - area.left) / area.width, (y - area.top) / area.height
            if self._degrees == 90:
                x, y = 1 - y, x
            elif self._degrees == 180:
                x, y = 1 - x, 1 - y
            elif self._degrees == 270:
                x, y = y, 1 - x
            if self._mirrored[0]:
                x = 1 - x
            if self._mirrored[1]:
                y = 1 - y
            return x * image.width, y * image.height

        return place


def _fitted(image: Image.Image, wanted: Rendering) -> Image.Image:
    if wanted.viewport is None:
        return image
    scale = min(wanted.viewport[0] / image.width, wanted.viewport[1] / image.height)
    if scale <= 1 or not wanted.enlarged:
        image.thumbnail(wanted.viewport, Image.Resampling.BILINEAR, reducing_gap=2.0)
        return image
    scale = min(scale, (MAX_ENLARGED / (image.width * image.height)) ** 0.5)
    if scale <= 1:
        return image
    size = max(1, int(image.width * scale)), max(1, int(image.height * scale))
    return image.resize(size, Image.Resampling.BICUBIC)


def _own_profile(dataset: Dataset) -> bytes:
    """Return the ICC profile of a colour image (PS3.3 C.11.15, of WSI in its optical path)."""
    paths = dataset.items(0x00480105)
    return dataset.raw(0x00282000) or (paths[0].raw(0x00282000) if paths else b"")


def _profile(dataset: Dataset, image: Image.Image, wanted: str) -> bytes:
    if image.mode != "RGB" or wanted == "no":
        return b""
    own = b"" if wanted == "srgb" else _own_profile(dataset)
    if own or not wanted:
        return own
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _as_srgb(dataset: Dataset, image: Image.Image) -> Image.Image:
    own = _own_profile(dataset)
    if image.mode != "RGB" or not own:
        return image
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(own))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target)
    except (ImageCms.PyCMSError, OSError) as problem:
        raise NotRenderable("the colour profile cannot be read") from problem
    return image if converted is None else converted
