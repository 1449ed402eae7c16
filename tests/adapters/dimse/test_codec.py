"""PDUs and command sets: round trips, and no octets that raise anything but InvalidPdu."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ

from adapters.dimse import decode, encode
from adapters.dimse.decode import ContextResult, InvalidPdu, ProposedContext, UserInformation

uids = st.from_regex(r"[12](\.(0|[1-9][0-9]{0,8})){1,5}", fullmatch=True)
titles = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=1, max_size=16)
users = st.builds(
    UserInformation,
    st.integers(0, 2**32 - 1),
    uids,
    titles,
    st.lists(st.tuples(uids, st.booleans(), st.booleans()), max_size=3).map(tuple),
)
contexts = st.lists(
    st.tuples(uids, st.lists(uids, min_size=1, max_size=4)), min_size=1, max_size=128
).map(
    lambda pairs: tuple(ProposedContext(2 * n + 1, a, tuple(t)) for n, (a, t) in enumerate(pairs))
)


@given(titles, titles, contexts, users)
def test_associate_request_round_trip(called, calling, proposed, user):
    pdu = encode.associate_request(called, calling, proposed, user)
    assert pdu[0] == 1
    assert int.from_bytes(pdu[2:6], "big") == len(pdu) - 6
    request = decode.associate_request(pdu[6:])
    assert (request.called_ae, request.calling_ae) == (called, calling)
    assert request.contexts == proposed
    assert request.user == user
    assert request.application_context == decode.APPLICATION_CONTEXT


@given(contexts, users, st.lists(st.tuples(st.integers(0, 4), uids), min_size=1, max_size=9))
def test_associate_accept_round_trip(proposed, user, results):
    request = decode.associate_request(encode.associate_request("A", "B", proposed, user)[6:])
    told = tuple(ContextResult(2 * n + 1, r, uid) for n, (r, uid) in enumerate(results))
    accept = decode.associate_accept(encode.associate_accept(request, told, user)[6:])
    assert accept.contexts == told
    assert accept.user == user


@given(titles, titles, contexts)
def test_pynetdicom_reads_what_we_write(called, calling, proposed):
    user = UserInformation(16384, "1.2.3", "TEST", (("1.2.3", True, False),))
    octets = encode.associate_request(called, calling, proposed, user)
    theirs = A_ASSOCIATE_RQ()
    theirs.decode(octets)
    assert theirs.called_ae_title == called
    assert [c.context_id for c in theirs.presentation_context] == [c.id for c in proposed]
    assert [str(c.abstract_syntax) for c in theirs.presentation_context] == [
        c.abstract_syntax for c in proposed
    ]
    assert theirs.encode() == octets
    accept = A_ASSOCIATE_AC()
    request = decode.associate_request(octets[6:])
    accept.decode(encode.associate_accept(request, [ContextResult(1, 0, "1.2.3")], user))
    assert accept.presentation_context[0].result == 0


@given(
    st.dictionaries(
        st.sampled_from([0x0110, 0x0120, 0x0700, 0x0800, 0x0900]), st.integers(0, 65535)
    ),
    titles,
    uids,
)
def test_command_round_trip(numbers, title, uid):
    octets = encode.command({**numbers, 0x1030: title, 0x0002: uid})
    found = decode.command(octets)
    assert len(octets) % 2 == 0
    assert {n: decode.number(found, n) for n in numbers} == numbers
    assert decode.text(found, 0x1030) == title
    assert decode.text(found, 0x0002) == uid
    assert int.from_bytes(found[0], "little") == len(octets) - 12


@given(st.binary(max_size=400))
def test_any_octets_are_a_request_or_refused(octets):
    for read in (decode.associate_request, decode.associate_accept, decode.command):
        with contextlib.suppress(InvalidPdu):
            read(octets)


@given(contexts, users, st.data())
def test_a_damaged_request_is_read_or_refused(proposed, user, data):
    octets = bytearray(encode.associate_request("A", "B", proposed, user)[6:])
    for _ in range(data.draw(st.integers(1, 5))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    for damaged in (bytes(octets), bytes(octets[:cut])):
        with contextlib.suppress(InvalidPdu):
            decode.associate_request(damaged)


def test_contexts_that_share_an_id_are_refused():
    two = (ProposedContext(1, "1.2.3", ("1.2",)), ProposedContext(1, "1.2.4", ("1.2",)))
    with pytest.raises(InvalidPdu):
        decode.associate_request(encode.associate_request("A", "B", two, UserInformation())[6:])
