"""Rendered resources by presentation state, flipped, annotated; frames compressed on the way out.

PS3.18 8.3.5, 9.1.2, 10.4.1.1.3; one server for the module.
"""

from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from adapters.dicomweb.kept_pictures import ErasingWithPictures, KeptPictures, RememberedPictures
from adapters.dicomweb.wado_uri_request import wado_request
from repository.instances.frames import frame_table
from repository.instances.header import read_header
from repository.instances.pixels import decode
from repository.instances.rendering import Rendering, grey_or_rgb
from tests.adapters.dicomweb.conftest import Door, running
from tests.support import drawn
from tests.support.imaging import imaging

IMAGE = f"/studies/{drawn.STUDY}/series/{drawn.SERIES}/instances/{drawn.IMAGE}"
STATE = f"/studies/{drawn.STUDY}/series/{drawn.STATE_SERIES}/instances/{drawn.STATE}"
RAMP = np.tile(np.arange(64, dtype=np.uint16) * 64, (48, 1))
FILM = "1.2.3.40"


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with imaging(tmp_path_factory.mktemp("pictures")) as made, running(made) as (server, port):
        found = Door(made, server, port)
        made.store(drawn.image(RAMP, BitsStored=12, WindowCenter=1024, WindowWidth=2048))
        made.store(drawn.state(ImageHorizontalFlip="Y", ImageRotation=0))
        cine = np.stack([np.full((16, 20), 70 + 50 * n, np.uint8) for n in range(3)])
        made.store(drawn.image(cine, frames=3, SOPInstanceUID=FILM, FrameTime="100"))
        yield found


def shown(door, path, accept="image/png"):
    answer = door.http.get(path, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    return answer, np.asarray(Image.open(BytesIO(answer.content)))


def test_a_presentation_state_is_rendered_as_the_image_it_is_for(door):
    _, state = shown(door, STATE + "/rendered")
    # The state tells no window: all that twelve bits can be, from right to left.
    assert np.abs(state - (RAMP * 255.0 / 4095)[:, ::-1]).max() <= 0.51
    assert door.http.get(STATE + "/frames/2/rendered").status_code == 406


def test_wado_uri_shows_an_image_by_its_state(door):
    asked = wado_request(
        [("requestType", "WADO"), ("studyUID", drawn.STUDY), ("seriesUID", drawn.SERIES),
         ("objectUID", drawn.IMAGE), ("presentationSeriesUID", drawn.STATE_SERIES),
         ("presentationUID", drawn.STATE), ("annotation", "technique,patient")]
    )  # fmt: skip
    assert asked.presentation == (drawn.STATE_SERIES, drawn.STATE)
    assert asked.annotation == ("patient", "technique")


def test_the_viewport_enlarges_cuts_and_flips(door):
    _, whole = shown(door, IMAGE + "/rendered")
    _, flipped = shown(door, IMAGE + "/rendered?viewport=64,48,0,0,-64,48")
    _, large = shown(door, IMAGE + "/rendered?viewport=128,128")
    assert np.array_equal(flipped, whole[:, ::-1])
    assert large.shape == (96, 128)
    for wrong in ("64,48,0,0,0,48", "64,48,-1,0,5,5", "1,2,3"):
        assert door.http.get(f"{IMAGE}/rendered?viewport={wrong}").status_code == 400


def test_annotations_are_burnt_in_and_asked_for_again(door):
    plain, before = shown(door, IMAGE + "/rendered?viewport=256,256")
    answer, after = shown(door, IMAGE + "/rendered?viewport=256,256&annotation=patient,technique")
    assert not np.array_equal(before, after)
    assert "no-cache" in answer.headers["cache-control"]
    assert "immutable" in plain.headers["cache-control"]
    assert answer.headers["etag"] != plain.headers["etag"]
    assert door.http.get(IMAGE + "/rendered?annotation=everything").status_code == 400
    assert door.http.get(IMAGE + "/rendered?iccprofile=adobergb").status_code == 400


def test_a_film_is_animated_only_as_a_whole(door):
    path = IMAGE.rpartition("/")[0] + f"/{FILM}"
    whole = door.http.get(path + "/rendered", headers={"accept": "image/gif"})
    frame = door.http.get(path + "/frames/2/rendered", headers={"accept": "image/gif"})
    assert Image.open(BytesIO(whole.content)).n_frames == 3
    assert getattr(Image.open(BytesIO(frame.content)), "n_frames", 1) == 1


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("image/jls", "image/jls; transfer-syntax=1.2.840.10008.1.2.4.80"),
        ("image/jp2", "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90"),
        ("image/dicom-rle", "image/dicom-rle; transfer-syntax=1.2.840.10008.1.2.5"),
        ("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80",
         "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.4.80"),
    ],
)  # fmt: skip
def test_frames_are_compressed_for_who_takes_nothing_else(door, accept, kind):
    answer = door.http.get(IMAGE + "/frames/1", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    header, _ = drawn.opened(drawn.image(RAMP, BitsStored=12))
    header.transfer_syntax = kind.rpartition("=")[2]
    place = header.pixels
    header.pixels = type(place)(place.tag, b"OB", place.offset, None)
    assert np.array_equal(decode(header, answer.content)[0], RAMP)


def test_jpeg_with_loss_is_for_eight_bits_and_who_names_it(door):
    path = IMAGE.rpartition("/")[0] + f"/{FILM}"
    baseline = "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"
    assert (
        door.http.get(path + "/frames/1", headers={"accept": baseline}).content[:2] == b"\xff\xd8"
    )
    assert door.http.get(path + "/frames/1", headers={"accept": "image/jpeg"}).status_code == 406
    assert door.http.get(IMAGE + "/frames/1", headers={"accept": baseline}).status_code == 406
    whole = door.http.get(
        path, headers={"accept": "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50"}
    )
    assert pydicom.dcmread(BytesIO(whole.content)).LossyImageCompression == "01"
    either = door.http.get(
        path,
        headers={"accept": "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50, "
                           "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80;q=0.1"},
    )  # fmt: skip
    assert "1.2.840.10008.1.2.4.80" in either.headers["content-type"]


def test_a_video_of_many_pictures_is_one_stream():
    source = pydicom.dcmread(get_testdata_file("MR_small_jp2klossless.dcm"))
    source.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    source.NumberOfFrames = 300
    source.PixelData = pydicom.encaps.encapsulate([b"\0\0\0\x18ftyp" + bytes(500)] * 2)
    target = BytesIO()
    source.save_as(target)
    octets = target.getvalue()
    table = frame_table(read_header(octets), lambda at, n: octets[at : at + n], len(octets))
    assert (table.count, len(table.ranges(1))) == (1, 2)


def test_thumbnails_are_kept_over_restarts_and_forgotten_with_the_octets(tmp_path):
    kept = KeptPictures(tmp_path / "pictures", 100_000)
    key = "ab" * 32
    kept.put(key, "1-thumbnail", b"picture")
    again = KeptPictures(tmp_path / "pictures", 100_000)
    assert again.get(key, "1-thumbnail") == b"picture"
    (file,) = (path for path in (tmp_path / "pictures").rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:-1])
    assert again.get(key, "1-thumbnail") is None  # a power cut took the end of it

    class Store:
        tier = "local"
        gone = False

        def erase(self, key, *, untouched_since):
            return self.gone

    store = Store()
    erasing = ErasingWithPictures(store, again)
    again.put(key, "1-thumbnail", b"picture")
    assert not erasing.erase(key, untouched_since=0)
    assert again.get(key, "1-thumbnail")
    store.gone = True
    assert erasing.erase(key, untouched_since=0)
    assert again.get(key, "1-thumbnail") is None
    for wrong in ("../../etc", "", "AB" * 32):
        again.put(wrong, "x", b"y")
        assert again.get(wrong, "x") is None


def test_what_is_kept_is_bounded_on_disk_and_in_memory(tmp_path):
    kept = KeptPictures(tmp_path, 10_000)
    for number in range(40):
        kept.put(f"{number:064x}", "1-thumbnail", bytes(1000))
    held = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
    assert 4_000 <= sum(held) <= 10_000
    memory = RememberedPictures(10_000)
    for number in range(40):
        memory.put(("k", number, ""), bytes(1000))
    assert memory.get(("k", 39, "")) is not None
    assert memory.get(("k", 0, "")) is None


def test_the_thumbnail_is_read_from_where_it_is_kept(tmp_path):
    with imaging(tmp_path / "data") as made:
        kept = KeptPictures(tmp_path / "pictures")
        octets = drawn.image(RAMP, BitsStored=12)
        made.store(octets)
        # Drawn by an earlier release, which drew it otherwise.
        kept.put(sha256(octets).hexdigest(), f"1-thumbnail-{Rendering().version - 1}", b"old")
        with running(made, pictures=kept) as (server, port):
            door = Door(made, server, port)
            first = door.http.get(IMAGE + "/thumbnail")
            assert first.content[:2] == b"\xff\xd8"
            files = [path for path in (tmp_path / "pictures").rglob("*") if path.is_file()]
            assert len(files) == 2
            assert any(first.content in path.read_bytes() for path in files)


def test_pictures_of_bundled_files_without_a_window_are_not_black():
    for name in ("CT_small.dcm", "MR_small.dcm"):
        header, frames = drawn.opened(Path(get_testdata_file(name)).read_bytes())
        assert grey_or_rgb(header, frames[0], 1).mean() > 20, name
