"""Presentation states, overlays, shutters, annotations: what is drawn is where it should be."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from repository.instances.presentation_states import references
from repository.instances.refusals import NotRenderable
from repository.instances.rendering import GIF, PNG, Rendering, animate, render
from tests.support import drawn

RAMP = np.tile(np.arange(40, dtype=np.uint16) * 100, (20, 1))


def picture(image, state=None, *, number=1, **wanted):
    header, frames = drawn.opened(image)
    told = drawn.opened(state)[0] if state is not None else None
    octets = render(header, frames[number - 1], number, Rendering(media_type=PNG, **wanted), told)
    return np.asarray(Image.open(BytesIO(octets)))


def area(x1, y1, x2, y2, **attributes):
    return drawn.item(
        DisplayedAreaTopLeftHandCorner=[x1, y1], DisplayedAreaBottomRightHandCorner=[x2, y2],
        PresentationSizeMode="SCALE TO FIT", **attributes,
    )  # fmt: skip


def test_a_state_tells_which_images_it_is_for():
    (told,) = references(drawn.opened(drawn.state(frame=3))[0])
    assert (told.series_uid, told.sop_uid, told.frames) == (drawn.SERIES, drawn.IMAGE, (3,))


def test_its_window_rescale_and_shape_go_before_those_of_the_image():
    image = drawn.image(
        RAMP, "MONOCHROME1", WindowCenter=2000, WindowWidth=4000, RescaleSlope=3, RescaleIntercept=0
    )
    voi = drawn.item(WindowCenter="1000.5", WindowWidth="1")
    state = drawn.state(SoftcopyVOILUTSequence=[voi], PresentationLUTShape="IDENTITY")
    shown = picture(image, state)
    assert shown[0, 10] == 0  # 1000, not 3000: the image's rescale is not the state's
    assert shown[0, 11] == 255
    inverse = drawn.state(SoftcopyVOILUTSequence=[voi], PresentationLUTShape="INVERSE")
    assert np.array_equal(picture(image, inverse), 255 - shown)


def test_a_window_for_other_images_is_not_ours_and_none_is_the_whole_range():
    other = drawn.item(
        ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.7", ReferencedSOPInstanceUID="1.9"
    )
    voi = drawn.item(WindowCenter=0, WindowWidth=1, ReferencedImageSequence=[other])
    shown = picture(drawn.image(RAMP, BitsStored=12), drawn.state(SoftcopyVOILUTSequence=[voi]))
    assert np.abs(shown[0] - RAMP[0] * 255.0 / 4095).max() <= 0.51


def test_a_presentation_table_comes_last():
    threshold = drawn.table([0] * 128 + [65535] * 128, 0, 16)
    state = drawn.state(PresentationLUTSequence=[threshold])
    shown = picture(drawn.image(RAMP, BitsStored=12), state)
    assert set(np.unique(shown)) == {0, 255}
    assert (shown[0, 20], shown[0, 21]) == (0, 255)


def test_pseudo_colours_are_of_the_state():
    colours = {}
    for name, words in (
        ("Red", np.arange(256) * 257),
        ("Green", np.zeros(256)),
        ("Blue", np.full(256, 65535)),
    ):
        colours[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        colours[f"{name}PaletteColorLookupTableData"] = words.astype("<u2").tobytes()
    state = drawn.state("1.2.840.10008.5.1.4.1.1.11.3", **colours)
    shown = picture(drawn.image(RAMP, BitsStored=12), state)
    assert shown.shape == (20, 40, 3)
    assert (shown[..., 1].max(), shown[..., 2].min()) == (0, 255)
    assert (np.diff(shown[0, :, 0].astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("degrees", "flip", "turn"),
    [
        (0, "N", lambda a: a),
        (90, "N", lambda a: np.rot90(a, -1)),
        (180, "N", lambda a: np.rot90(a, 2)),
        (270, "N", np.rot90),
        (0, "Y", np.fliplr),
        (90, "Y", lambda a: np.fliplr(np.rot90(a, -1))),
    ],
)
def test_turning_comes_before_flipping(degrees, flip, turn):
    marked = RAMP.copy()
    marked[0, 0] = 4095
    image = drawn.image(marked, BitsStored=12)
    state = drawn.state(ImageRotation=degrees, ImageHorizontalFlip=flip)
    assert np.array_equal(picture(image, state), turn(picture(image, drawn.state())))


def test_the_displayed_area_is_cut_out_and_pixels_are_made_square():
    image = drawn.image(RAMP, BitsStored=12)
    whole = picture(image, drawn.state())
    cut = drawn.state(DisplayedAreaSelectionSequence=[area(11, 6, 20, 15)])
    assert np.array_equal(picture(image, cut), whole[5:15, 10:20])
    tall = drawn.state(
        DisplayedAreaSelectionSequence=[area(1, 1, 40, 20, PresentationPixelAspectRatio=["2", "1"])]
    )
    assert picture(image, tall).shape == (40, 40)
    assert picture(drawn.image(RAMP, PixelAspectRatio=["1", "2"])).shape == (20, 80)


def test_shutters_hide_with_their_value():
    image = drawn.image(np.full((20, 40), 4000, np.uint16), BitsStored=12)
    box = {"ShutterLeftVerticalEdge": 11, "ShutterRightVerticalEdge": 20,
           "ShutterUpperHorizontalEdge": 6, "ShutterLowerHorizontalEdge": 15}  # fmt: skip
    state = drawn.state(ShutterShape="RECTANGULAR", ShutterPresentationValue=0x8000, **box)
    shown = picture(image, state)
    assert (shown[:5] == 0x80).all()
    assert (shown[5:15, 10:20] > 240).all()
    assert (shown[15:] == 0x80).all()
    round_one = drawn.state(
        ShutterShape="CIRCULAR", CenterOfCircularShutter=[10, 20], RadiusOfCircularShutter=5
    )
    shown = picture(image, round_one)
    assert (shown[9, 19] > 240, shown[0, 0], shown[9, 30]) == (True, 0, 0)
    corners = [1, 1, 1, 40, 20, 1]
    shown = picture(
        image, drawn.state(ShutterShape="POLYGONAL", VerticesOfThePolygonalShutter=corners)
    )
    assert (shown[2, 2] > 240, shown[19, 39]) == (True, 0)
    # Of the image itself, without a state.
    assert picture(drawn.image(RAMP, ShutterShape="RECTANGULAR", **box))[:5].max() == 0


def overlay(bits, group=0x6000, origin=(1, 1), layer=None):
    def put(dataset):
        dataset.add_new((group, 0x0010), "US", bits.shape[0])
        dataset.add_new((group, 0x0011), "US", bits.shape[1])
        dataset.add_new((group, 0x0040), "CS", "G")
        dataset.add_new((group, 0x0050), "SS", list(origin))
        dataset.add_new((group, 0x0100), "US", 1)
        dataset.add_new((group, 0x0102), "US", 0)
        dataset.add_new((group, 0x3000), "OW", np.packbits(bits, bitorder="little").tobytes())
        if layer:
            dataset.add_new((group, 0x1001), "CS", layer)

    return put


def changed(octets, put):
    import pydicom  # noqa: PLC0415

    dataset = pydicom.dcmread(BytesIO(octets))
    put(dataset)
    return drawn.written(dataset)


def test_overlays_are_drawn_where_they_begin():
    dark = np.zeros((20, 40), np.uint16)
    bits = np.ones((4, 8), np.uint8)
    shown = picture(
        changed(
            drawn.image(dark, BitsStored=12, WindowCenter=500, WindowWidth=1000),
            overlay(bits, origin=(3, 5)),
        )
    )
    assert (shown[2:6, 4:12] == 255).all()
    assert shown.sum() == 255 * 32
    beyond = changed(
        drawn.image(dark, WindowCenter=500, WindowWidth=1000), overlay(bits, origin=(-1, 39))
    )
    assert picture(beyond).sum() == 255 * 4


def test_overlays_of_old_lie_in_unused_bits():
    pixels = np.zeros((20, 40), np.uint16)
    pixels[2, 3] = 1 << 12

    def put(dataset):
        dataset.add_new((0x6000, 0x0010), "US", 20)
        dataset.add_new((0x6000, 0x0011), "US", 40)
        dataset.add_new((0x6000, 0x0050), "SS", [1, 1])
        dataset.add_new((0x6000, 0x0100), "US", 16)
        dataset.add_new((0x6000, 0x0102), "US", 12)

    shown = picture(
        changed(drawn.image(pixels, BitsStored=12, WindowCenter=500, WindowWidth=1000), put)
    )
    assert (shown[2, 3], shown.sum()) == (255, 255)


def test_a_state_shows_only_the_overlays_it_puts_on_a_layer():
    image = changed(
        drawn.image(np.zeros((20, 40), np.uint16), BitsStored=12),
        overlay(np.ones((20, 40), np.uint8)),
    )
    assert picture(image, drawn.state()).max() == 0
    assert (
        picture(
            image, changed(drawn.state(), lambda d: d.add_new((0x6000, 0x1001), "CS", "L1"))
        ).min()
        == 255
    )
    own = changed(drawn.state(), overlay(np.ones((2, 2), np.uint8), 0x6002, layer="L1"))
    assert picture(image, own).sum() == 4 * 255


def graphic(kind, data, units="PIXEL", filled="N"):
    return drawn.item(
        GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(data) // 2,
        GraphicData=[float(n) for n in data], GraphicType=kind, GraphicFilled=filled,
    )  # fmt: skip


def annotated(*graphics, texts=(), **attributes):
    layer = drawn.item(
        GraphicLayer="L1", GraphicLayerOrder=1, GraphicLayerRecommendedDisplayGrayscaleValue=0xFFFF
    )
    note = drawn.item(
        GraphicLayer="L1", GraphicObjectSequence=list(graphics), TextObjectSequence=list(texts)
    )
    return drawn.state(GraphicLayerSequence=[layer], GraphicAnnotationSequence=[note], **attributes)


DARK = drawn.image(np.zeros((100, 100), np.uint16), BitsStored=12)


@pytest.mark.parametrize(
    ("what", "lit", "dark"),
    [
        (graphic("POLYLINE", [10, 50, 90, 50]), (50, 50), (20, 20)),
        (graphic("POLYLINE", [0.1, 0.5, 0.9, 0.5], "DISPLAY"), (50, 50), (20, 20)),
        (graphic("CIRCLE", [50, 50, 50, 80]), (20, 50), (50, 50)),
        (graphic("CIRCLE", [50, 50, 50, 80], filled="Y"), (50, 50), (5, 5)),
        (graphic("ELLIPSE", [20, 50, 80, 50, 50, 40, 50, 60]), (40, 50), (20, 50)),
        (graphic("POINT", [30, 70]), (70, 30), (30, 70)),
        (graphic("INTERPOLATED", [10, 10, 50, 50, 90, 90]), (50, 50), (10, 90)),
    ],
)
def test_graphics_are_where_they_are_said_to_be(what, lit, dark):
    shown = picture(DARK, annotated(what))
    assert shown[lit[0] - 1 : lit[0] + 2, lit[1] - 1 : lit[1] + 2].max() == 255
    assert shown[dark[0] - 1 : dark[0] + 2, dark[1] - 1 : dark[1] + 2].max() == 0


def test_graphics_turn_with_the_image_and_grow_with_the_viewport():
    line = graphic("POLYLINE", [10, 20, 10, 80])
    turned = picture(DARK, annotated(line, ImageRotation=90))
    assert turned[10, 50] == 255  # what was at the left is at the top
    large = picture(DARK, annotated(line), viewport=(200, 200), enlarged=True)
    assert large.shape == (200, 200)
    assert large[100, 19:22].max() == 255


def test_texts_are_written_in_their_box_and_at_their_anchor():
    box = drawn.item(
        UnformattedTextValue="Lesion", BoundingBoxAnnotationUnits="PIXEL",
        BoundingBoxTopLeftHandCorner=[40.0, 60.0], BoundingBoxBottomRightHandCorner=[95.0, 75.0],
    )  # fmt: skip
    shown = picture(DARK, annotated(texts=[box]))
    assert shown[58:80, 38:].max() > 200
    assert shown[:50].max() == 0
    anchor = drawn.item(
        UnformattedTextValue="A\r\nB", AnchorPointAnnotationUnits="DISPLAY", AnchorPoint=[0.1, 0.1],
        AnchorPointVisibility="N",
    )  # fmt: skip
    assert picture(DARK, annotated(texts=[anchor]))[8:50, 8:40].max() > 200


def test_names_and_technique_are_burnt_in_when_asked():
    image = drawn.image(
        np.zeros((200, 200), np.uint16), BitsStored=12, KVP="120", WindowCenter=9, WindowWidth=9
    )
    assert picture(image).max() == 0
    who, how = (picture(image, annotation=(kind,)) for kind in ("patient", "technique"))
    assert who[:100, :100].max() > 200
    assert who[:, 130:].max() == 0
    assert how[:100, 100:].max() > 200
    both = picture(image, annotation=("patient", "technique"))
    assert np.array_equal(both, np.maximum(who, how))


def test_the_region_is_cut_flipped_and_scaled():
    image = drawn.image(RAMP, WindowCenter=2000, WindowWidth=4000)
    whole = picture(image)
    cut = picture(image, region=(10, 5, 10, 10))
    assert np.array_equal(cut, whole[5:15, 10:20])
    assert np.array_equal(
        picture(image, region=(10, 5, 10, 10), mirrored=(True, False)), cut[:, ::-1]
    )
    assert np.array_equal(picture(image, region=(10, 5, 65536, 65536)), whole[5:, 10:])
    assert picture(image, viewport=(80, 80), enlarged=True).shape == (40, 80)
    assert picture(image, viewport=(80, 80)).shape == (20, 40)
    with pytest.raises(NotRenderable):
        picture(image, region=(40, 0, 1, 1))


def test_profiles_are_told_and_left_out():
    colour = drawn.image(np.zeros((8, 8, 3), np.uint8), "RGB")
    header, (frame,) = drawn.opened(colour)

    def profile(asked):
        made = render(header, frame, 1, Rendering(media_type=PNG, colour_profile=asked))
        return Image.open(BytesIO(made)).info.get("icc_profile")

    assert (profile(""), profile("no")) == (None, None)
    assert profile("yes")[16:20] == b"RGB "
    assert profile("srgb")[16:20] == b"RGB "


def test_films_are_animated_as_fast_as_the_header_says():
    cine = np.stack([np.full((10, 12), 70 + n * 50, np.uint8) for n in range(4)])
    header, frames = drawn.opened(drawn.image(cine, frames=4, FrameTime="200"))
    made = animate(header, enumerate(frames, 1), Rendering(media_type=GIF))
    shown = Image.open(BytesIO(made))
    assert (shown.n_frames, shown.size, shown.info["duration"]) == (4, (12, 10), 200)


@pytest.mark.parametrize("seed", range(6))
def test_states_that_are_broken_end_in_a_picture_or_a_refusal(seed):
    chance = np.random.default_rng(seed)
    state = bytearray(annotated(
        graphic("CIRCLE", [50, 50, 50, 80]), ImageRotation=90,
        DisplayedAreaSelectionSequence=[area(1, 1, 90, 90)], ShutterShape="CIRCULAR",
        CenterOfCircularShutter=[10, 20], RadiusOfCircularShutter=5,
        SoftcopyVOILUTSequence=[drawn.item(WindowCenter=1, WindowWidth=2)],
        PresentationLUTSequence=[drawn.table([0, 65535], 0, 16)],
    ))  # fmt: skip
    from kernel.refusals import Refusal  # noqa: PLC0415

    for _ in range(30):
        broken = bytearray(state)
        for at in chance.integers(300, len(broken), 4):
            broken[at] = chance.integers(0, 256)
        try:
            picture(DARK, bytes(broken))
        except Refusal:
            continue
