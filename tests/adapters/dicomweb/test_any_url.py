"""Whatever stands in a URL of QIDO-RS, WADO-RS or WADO-URI: answered, and never as a defect."""

from urllib.parse import quote, quote_from_bytes

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.archive import instance, octets
from tests.support.bad_input import target
from tests.support.installation import on_own_schema

ATTRIBUTES = (
    "PatientName", "PatientID", "StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy",
    "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "InstanceNumber",
    "SeriesNumber", "Modality", "ReferringPhysicianName", "PatientBirthDate", "IssuerOfPatientID",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "StudyDescription",
    "RequestAttributesSequence.ScheduledProcedureStepID", "SeriesDescription", "Rows",
    "WindowCenter", "ReferencedImageSequence.ReferencedSOPInstanceUID", "PixelData", "00100010",
    "00400275.00400009", "OtherPatientIDsSequence.PatientID", "PatientSize", "ImageType",
)  # fmt: skip
CONTROLS = (
    "limit", "offset", "includefield", "fuzzymatching", "accept", "charset", "emptyvaluematching",
    "multiplevaluematching", "window", "viewport", "quality", "annotation", "iccprofile", "frame",
    "presentationUID", "requestType", "studyUID", "seriesUID", "objectUID", "contentType", "rows",
    "columns", "region", "windowCenter", "windowWidth", "frameNumber", "imageQuality",
    "transferSyntax", "original",
)  # fmt: skip
PIECES = (
    "*", "?", "\\", ",", "-", "=", "^", "%", "_", "'", '"', "\0", "\x1b", "\x7f\x7f", "\x01", "Test",
    "20260301", "1015", "1.2.3", "中", "ß", "İ", "𠀀", "\u202e", "e", "1", "9" * 20, "0", "true", " ",
    "linear", "image/jpeg", "application/dicom", ";", "q=1", "/", "..", "\n", "ISO_IR 192", "all",
    "\ufeff", "nan", "inf", "+", "&", "#", "(", "[", "$", "{", "WADO", "\ud7ff", "\U0010ffff",
)  # fmt: skip
STRANGE = (
    "%00", "a%00b", "%5C" * 3000, "a%5C" * 2040, "%2A" * 4000, "a*?" * 16, "-", "--", "=" * 50,
    "%E4%B8%AD" * 4090, "%F0%A0%80%80" * 2000, "9" * 4090, "%1B" * 4000, "%25" * 4090, "a" * 60_000,
    "1.2," * 1999 + "1", "%22%22", "20260301-" + "9" * 30, "%FF", "+", "%ED%A0%80", "'" * 100,
    )  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(max_size=40),
    st.sampled_from(PIECES).flatmap(
        # A client's own bound is 65,536 octets a URL: long values are those of STRANGE.
        lambda one: st.integers(1, 500).map(lambda n: (one * n)[:500])
    ),
)
VALUES = st.one_of(
    TEXTS.map(lambda text: quote(text.encode("utf-8", "replace"), safe="")),
    st.binary(max_size=30).map(lambda octets_: quote_from_bytes(octets_, safe="")),
)
FIELDS = st.lists(st.tuples(st.sampled_from(ATTRIBUTES + CONTROLS), VALUES), max_size=5).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
ACCEPTS = st.one_of(
    st.sampled_from((
        "*/*", "application/dicom+json", "application/dicom+xml", "image/jpeg", "image/png", "",
        'multipart/related; type="application/dicom"; transfer-syntax=*', "application/zip",
        "multipart/related; type=application/octet-stream", ";;;", "a/b;q=x", "image/*;q=0.1",
    )),
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40),
)  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql")])
def archive_(request, tmp_path_factory):
    with target(tmp_path_factory.mktemp("url"), **on_own_schema(request)) as found:
        found.imaging.store(*(octets(instance(n, size=8)) for n in range(3)))
        one = instance(0, size=8)
        found.instance = (
            f"/studies/{one.StudyInstanceUID}/series/{one.SeriesInstanceUID}"
            f"/instances/{one.SOPInstanceUID}"
        )
        found.count = 60 if request.param == "sqlite" else 15
        yield found


def asked(archive_, path, accept="*/*"):
    url = httpx.URL(f"http://pianku/dicom-web{path}")
    answer = archive_.ask("GET", url, headers={"accept": accept.encode("latin-1", "replace")})
    assert answer.status_code < 500, f"{path}: {answer.status_code} {answer.text[:300]}"
    archive_.no_defects()
    return answer


def often(archive_):
    return settings(
        max_examples=archive_.count, deadline=None, database=None, derandomize=True,
        suppress_health_check=[*HealthCheck],
    )  # fmt: skip


def test_any_search(archive_):
    @often(archive_)
    @given(
        st.sampled_from(("/studies", "/series", "/instances", "/studies/1.2/series")),
        FIELDS,
        ACCEPTS,
    )
    def search(level, fields, accept):
        asked(archive_, f"{level}?{fields}", accept)

    search()


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_any_value_of_each_key(archive_, name):
    # What only PostgreSQL minds stands first.
    for value in STRANGE[: len(STRANGE) if archive_.count > 20 else 4]:
        for level in ("/studies", "/instances"):
            asked(archive_, f"{level}?{name}={value}")


def test_any_resource(archive_):
    kinds = (
        "", "/metadata", "/rendered", "/thumbnail", "/frames/1", "/frames/1,2", "/frames/1/rendered",
        "/bulkdata/7FE00010", "/bulkdata/00100010",
    )  # fmt: skip

    @often(archive_)
    @given(st.sampled_from(kinds), FIELDS, ACCEPTS)
    def retrieve(kind, fields, accept):
        asked(archive_, f"{archive_.instance}{kind}?{fields}", accept)

    retrieve()


def test_any_path(archive_):
    steps = (
        "studies",
        "series",
        "instances",
        "frames",
        "bulkdata",
        "rendered",
        "1.2.3",
        "metadata",
    )

    @often(archive_)
    @given(st.lists(st.one_of(st.sampled_from(steps), VALUES), max_size=9))
    def walk(path):
        asked(archive_, "/" + "/".join(path))

    walk()


def test_any_tail_of_an_instance(archive_):
    @often(archive_)
    @given(st.sampled_from(("frames", "bulkdata", "rendered", "")), st.lists(VALUES, max_size=3))
    def walk(kind, path):
        asked(archive_, "/".join((archive_.instance, kind, *path)))

    walk()
