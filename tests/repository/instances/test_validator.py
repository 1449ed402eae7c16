"""What we compose is judged by dciodvfy: nothing new against what was stored (PS3.3)."""

import io
import json
import subprocess

import pydicom
import pytest

from repository.instances.composing import Bulk, compose
from repository.instances.part10 import DEFLATED_EXPLICIT
from repository.instances.transcoding import MAKEABLE, to_transfer_syntax
from tests.support.corrected_files import RENAMED, WHEN, composed
from tests.support.dicom_studies import generate, part10

EXPLICIT = "1.2.840.10008.1.2.1"
BASELINE = "1.2.840.10008.1.2.4.50"
pytestmark = [pytest.mark.peer("dicom3tools"), pytest.mark.tender("R-3.1")]


def findings(path, octets):
    """Return what dciodvfy says of a file; it cannot inflate one."""
    path.write_bytes(octets)
    done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, check=False)
    told = (done.stdout + done.stderr).decode("latin-1").splitlines()
    assert not any("dataset read failed" in line for line in told)
    return {line for line in told if line.startswith(("Error", "Warning"))}


@pytest.fixture(scope="module", params=["CR", "MR", "ES", "ECG", "SR", "PDF"])
def stored(request):
    options = {"count": 1} if request.param == "MR" else {}
    return part10(generate(request.param, seed=11, **options)[-1])


def test_in_every_transfer_syntax_nothing_new_is_found(stored, tmp_path):
    before = findings(tmp_path / "x.dcm", stored)
    has_pixels = "PixelData" in pydicom.dcmread(io.BytesIO(stored))
    for syntax in sorted(MAKEABLE - {DEFLATED_EXPLICIT}):
        if has_pixels or syntax.startswith("1.2.840.10008.1.2.1") or syntax == "1.2.840.10008.1.2":
            made = to_transfer_syntax(stored, syntax)
            assert findings(tmp_path / "x.dcm", made) <= before, syntax


def test_colours_of_jpeg_are_told_as_they_then_are(tmp_path):
    """YBR_FULL_422 without compression would mean two octets a pixel (PS3.3 C.7.6.3.1.2)."""
    stored = part10(generate("ES", seed=11)[-1])
    was = pydicom.dcmread(io.BytesIO(stored))
    assert was.PhotometricInterpretation == "YBR_FULL_422"

    made = pydicom.dcmread(io.BytesIO(to_transfer_syntax(stored, EXPLICIT)))

    assert (made.PhotometricInterpretation, made.PlanarConfiguration) == ("RGB", 0)
    assert len(made.PixelData) == made.Rows * made.Columns * 3
    assert (made.pixel_array == was.pixel_array).mean() > 0.99
    again = to_transfer_syntax(part10(made), BASELINE)
    assert findings(tmp_path / "x.dcm", again) <= findings(tmp_path / "x.dcm", stored)


def test_an_instance_sent_apart_has_nothing_new(stored, tmp_path):
    """STOW-RS of metadata and bulk data (PS3.18 10.5) writes a file of our own."""
    dataset = pydicom.dcmread(io.BytesIO(to_transfer_syntax(stored, EXPLICIT)))
    bulk = {}

    def apart(element):
        place = f"http://client/{len(bulk)}"
        bulk[place] = Bulk("application/octet-stream", EXPLICIT, (bytes(element.value),))
        return place

    metadata = json.loads(
        dataset.to_json(bulk_data_threshold=1024, bulk_data_element_handler=apart)
    )
    made = compose(metadata, bulk, study_uid="").octets

    assert findings(tmp_path / "x.dcm", made) <= findings(tmp_path / "x.dcm", part10(dataset))


def test_a_corrected_header_has_nothing_new(stored, tmp_path):
    made = composed(stored, {**RENAMED, **WHEN})

    assert made != stored
    assert findings(tmp_path / "x.dcm", made) <= findings(tmp_path / "x.dcm", stored)
