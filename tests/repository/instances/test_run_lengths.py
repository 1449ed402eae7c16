"""RLE: what we pack, pydicom and we unpack to the same; what is broken is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydicom.pixels.decoders.rle import _rle_decode_segment

from repository.instances.refusals import NotRenderable
from repository.instances.run_lengths import pack, unpack

PLANES = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 400)),
    elements=st.integers(0, 3),
)


@settings(max_examples=60, deadline=None)
@given(PLANES)
def test_planes_come_back_by_us_and_by_pydicom(planes):
    octets = pack(planes)
    count, rows, columns = planes.shape
    assert np.array_equal(unpack(octets, count, rows * columns), planes.reshape(count, -1))
    offsets = np.frombuffer(octets[:64], "<u4")
    assert offsets[0] == count
    ends = [*offsets[2 : count + 1], len(octets)]
    for number, (begin, end) in enumerate(zip(offsets[1 : count + 1], ends, strict=True)):
        assert (end - begin) % 2 == 0
        theirs = bytes(_rle_decode_segment(octets[begin:end]))
        assert theirs[: rows * columns] == planes[number].tobytes()


def test_runs_are_short_and_rows_apart():
    flat = np.zeros((1, 4, 300), np.uint8)
    octets = pack(flat)
    # Three runs a row (128, 128, 44), two octets each, in each of four rows.
    assert len(octets) == 64 + 4 * 3 * 2


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 3), st.integers(1, 50))
def test_whatever_the_octets_are_it_ends_in_planes_or_a_refusal(octets, planes, size):
    try:
        made = unpack(octets, planes, size)
    except NotRenderable:
        return
    assert made.shape == (planes, size)


def test_a_segment_that_ends_early_and_one_too_many_are_refused():
    octets = pack(np.arange(200, dtype=np.uint8).reshape(1, 10, 20))
    with pytest.raises(NotRenderable):
        unpack(octets[:-20], 1, 200)
    with pytest.raises(NotRenderable):
        unpack(octets, 2, 200)
    with pytest.raises(NotRenderable):
        pack(np.zeros((16, 2, 2), np.uint8))


def test_a_bomb_is_cut_at_the_size_of_the_plane():
    bomb = np.array([1, 64, *[0] * 14], "<u4").tobytes() + b"\x81\x00" * 100_000
    assert unpack(bomb, 1, 10).tolist() == [[0] * 10]
