"""Text in the set it is declared in, and in the set it is in when that is plainly another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repository.instances.charsets import codecs_of, decode
from repository.instances.header import read_header
from tests.support.dicom_studies import generate, part10

NAMES = ["张^三", "王^小明", "欧阳^娜娜", "单^雄信"]


def read(octets, declared):
    return decode(octets, codecs_of(declared), delimiters=b"\\^=")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("GB18030", "gb18030"),
        ("GBK", "gbk"),
        ("ISO_IR 192", "utf-8"),
        ("ISO_IR 100", "gb18030"),
        ("ISO_IR 100", "utf-8"),
        ("", "gb18030"),
        ("", "utf-8"),
        ("ISO_IR 192", "gb18030"),
        ("GB18030", "utf-8"),
    ],
)
def test_a_chinese_name_is_read_whatever_it_is_declared_as(name, declared, codec):
    assert read(name.encode(codec), declared) == name
    assert read(f"Zhang^San={name}".encode(codec), declared) == f"Zhang^San={name}"


@pytest.mark.parametrize(
    "text",
    ["Müller^Jürgen", "Größübel^Öß", "Señor^Núñez", "Ærøskøbing", "±½ ²µ °C", "Ébène^Zoë", "ÅÄÖ",
     "Grüß Gott", "Ñandú"],
)  # fmt: skip
def test_latin_text_stays_latin(text):
    assert read(text.encode("latin-1"), "ISO_IR 100") == text


@given(st.text(st.characters(codec="gb2312", categories=["Lo"]), min_size=1, max_size=20))
def test_what_is_declared_right_is_read_as_declared(text):
    for declared, codec in (("GB18030", "gb18030"), ("GBK", "gbk"), ("ISO_IR 192", "utf-8")):
        assert read(text.encode(codec), declared) == text


@given(st.binary(max_size=64), st.sampled_from(["", "ISO_IR 100", "ISO_IR 192", "GB18030", "GBK"]))
def test_no_octets_raise(octets, declared):
    assert isinstance(read(octets, declared), str)


def test_a_mislabelled_study_keeps_its_octets_and_is_read_right():
    right = read_header(part10(generate("CR", seed=1)[0]))
    octets = part10(generate("CR", seed=1, mislabelled=True)[0])
    header = read_header(octets)

    assert header.specific_character_set == "ISO_IR 100"
    assert header.patient_name == right.patient_name
    assert "张" in header.patient_name
    assert "张".encode("gb18030") in octets
