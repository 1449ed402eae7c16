"""The topic table: which class an event is read into, and how older bodies become new ones.

Design A3: explicit `TOPIC`, upcasters beside the event, a stored event is never changed.
Built once by `server/event_catalogue.py` (tests build small ones); read by `mapper.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from kernel.events import Fact

Body = dict[str, Any]
Upcaster = Callable[[Body], Body]


class UnknownTopic(LookupError):  # noqa: N818 - says what is so
    """An event carries a topic that no class of this version of the software declares."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"no event class declares the topic {topic!r}: "
            "is the event catalogue complete, or was the event written by a newer version?"
        )
        self.topic = topic


class BadTopic(TypeError):  # noqa: N818 - says what is so
    """An event class breaks a rule of the table (a mistake of the programmer)."""


@dataclass(frozen=True, slots=True)
class PersonalField:
    """A field that identifies a person: its names and what stands in for it when shredded."""

    name: str
    encoded: str
    blank: object


@dataclass(frozen=True, slots=True)
class EventKind:
    """Everything needed to write and read events stored under one topic."""

    topic: str
    fact_class: type[Fact]
    personal: tuple[PersonalField, ...]
    upcasters: tuple[Upcaster, ...]
    """Applied one after the other; empty for the topic the class writes now."""
    decoder: msgspec.json.Decoder[Fact]

    def decode(self, body: str) -> Fact:
        """Return the fact of a stored JSON body, brought up to the class of today."""
        if not self.upcasters:
            return self.decoder.decode(body)
        values = cast("Body", msgspec.json.decode(body))
        for upcast in self.upcasters:
            values = upcast(values)
        return msgspec.convert(values, type=self.fact_class, str_keys=True)


class TopicTable:
    """Topic -> event class, for today's topics and for every older one that can be upcast.

    `Fact.UPCASTERS` maps an older topic either to a function that returns the body of the
    class as it is today, or to a pair (next topic, function) that takes one step and goes on
    with the step declared for that next topic. An upcaster is pure and must bear that personal
    fields are missing, for they are once the patient's key is destroyed.
    """

    def __init__(self, classes: Iterable[type[Fact]]) -> None:
        self._kinds: dict[str, EventKind] = {}
        for fact_class in classes:
            self._add(fact_class)

    @property
    def classes(self) -> Mapping[str, type[Fact]]:
        """Return topic -> class for today's topics, in order of registration."""
        return {t: k.fact_class for t, k in self._kinds.items() if t == k.fact_class.TOPIC}

    def kind(self, topic: str) -> EventKind:
        """Return how events of `topic` are read; raises `UnknownTopic`."""
        try:
            return self._kinds[topic]
        except KeyError:
            raise UnknownTopic(topic) from None

    def kind_of(self, fact: Fact) -> EventKind:
        """Return how `fact` is written; raises `BadTopic` when its class is not in the table."""
        fact_class = type(fact)
        found = self._kinds.get(getattr(fact_class, "TOPIC", ""))
        if found is None or found.fact_class is not fact_class:
            raise BadTopic(f"{fact_class.__qualname__} is not in the topic table")
        return found

    def _add(self, fact_class: type[Fact]) -> None:
        topic = fact_class.__dict__.get("TOPIC")
        if not isinstance(topic, str) or not topic:
            raise BadTopic(f"{fact_class.__qualname__} must set its own TOPIC")
        decoder = msgspec.json.Decoder(fact_class)
        personal = _personal_fields(fact_class)
        for name in (topic, *fact_class.UPCASTERS):
            if name in self._kinds:
                other = self._kinds[name].fact_class.__qualname__
                raise BadTopic(f"{fact_class.__qualname__} and {other} both claim {name!r}")
            self._kinds[name] = EventKind(
                topic=name,
                fact_class=fact_class,
                personal=personal,
                upcasters=_steps(fact_class, name),
                decoder=decoder,
            )


def _steps(fact_class: type[Fact], topic: str) -> tuple[Upcaster, ...]:
    steps: list[Upcaster] = []
    while topic != fact_class.TOPIC:
        step = fact_class.UPCASTERS.get(topic)
        if step is None or len(steps) > len(fact_class.UPCASTERS):
            raise BadTopic(f"the upcasters of {fact_class.__qualname__} end at {topic!r}")
        topic, upcast = step if isinstance(step, tuple) else (fact_class.TOPIC, step)
        steps.append(cast("Upcaster", upcast))
    return tuple(steps)


def _personal_fields(fact_class: type[Fact]) -> tuple[PersonalField, ...]:
    fields = {field.name: field for field in msgspec.structs.fields(fact_class)}
    found = []
    for name in sorted(fact_class.PERSONAL):
        field = fields.get(name)
        if field is None or field.required:
            raise BadTopic(f"{fact_class.__qualname__}.{name} is PERSONAL and needs a default")
        factory = field.default_factory
        blank = field.default if factory is msgspec.NODEFAULT else factory()
        found.append(PersonalField(name, field.encode_name, blank))
    return tuple(found)
