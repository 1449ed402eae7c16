"""The state table is whole: every event a PDU or a clock can make has its transition."""

import pytest

from adapters.dimse.upper_layer import PDU_EVENTS, TRANSITIONS, Event, State, UpperLayer

REACHABLE = [Event.EVT17, Event.EVT18, Event.EVT19, *PDU_EVENTS.values()]


class SilentWire:
    def __init__(self):
        self.sent, self.dropped = [], False

    def send(self, octets):
        self.sent.append(octets)

    def drop(self):
        self.dropped = True


@pytest.mark.parametrize("state", [State.STA2, State.STA6])
@pytest.mark.parametrize("event", REACHABLE)
def test_whatever_comes_has_a_transition(state, event):
    upper = UpperLayer(SilentWire())
    upper.state = state
    upper.handle(event)
    assert upper.state is TRANSITIONS[state, event][1]


def test_every_action_is_known():
    known = set(UpperLayer(SilentWire())._actions)
    assert {action for action, _ in TRANSITIONS.values()} <= known


@pytest.mark.parametrize("event", [Event.EVT3, Event.EVT4, Event.EVT6, Event.EVT13, Event.EVT19])
def test_what_does_not_belong_there_is_aborted_by_the_provider(event):
    wire = SilentWire()
    upper = UpperLayer(wire)
    upper.state = State.STA6
    upper.handle(event, reason=6)
    assert wire.sent == [b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x06"]
    assert upper.state is State.STA13


def test_a_peers_abort_is_not_answered():
    wire = SilentWire()
    upper = UpperLayer(wire)
    upper.state = State.STA6
    upper.handle(Event.EVT16)
    assert wire.sent == []
    assert wire.dropped
