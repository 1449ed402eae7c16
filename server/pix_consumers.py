"""Who is told of changed cross-references: the setting read, and what tells them.

ITI TF-2 3.10 (ITI-10). Called by `server.background`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import Final

from adapters.hl7v2.iti10_pix_update_notification import PixUpdateNotification
from kernel.identifiers import is_oid
from server.identity import domains_of
from server.settings import BadSettings
from server.wiring import Installation
from workflows.notify_cross_references import NotifyCrossReferences, PixConsumer

_FORM: Final = re.compile(r"([^@/\s]+)@(\[[0-9A-Fa-f:.]+\]|[^:/\s]+):([0-9]{1,5})(?:/([0-9.+]+))?")
_LAST_PORT: Final = 65535


def pix_consumers(texts: Sequence[str]) -> tuple[PixConsumer, ...]:
    """Return the consumers of `mllp.pix_consumers`; raises BadSettings."""
    found: dict[str, PixConsumer] = {}
    for text in texts:
        form = _FORM.fullmatch(text.strip())
        domains = frozenset((form[4] or "").split("+")) - {""} if form else frozenset()
        if form is None or int(form[3]) > _LAST_PORT or not all(map(is_oid, domains)):
            raise BadSettings("mllp.pix_consumers needs NAME@HOST:PORT or NAME@HOST:PORT/OID+OID")
        if form[1] in found:
            raise BadSettings("mllp.pix_consumers names a consumer twice")
        found[form[1]] = PixConsumer(form[1], form[2].strip("[]"), int(form[3]), domains)
    return tuple(found.values())


def pix_work(here: Installation) -> list[tuple[str, Callable[[threading.Event], None]]]:
    """Return what tells each consumer, by name."""
    send = PixUpdateNotification(domains_of(here.settings, here.identity))
    return [
        (
            f"pix-{consumer.name}",
            NotifyCrossReferences(here.facts, here.patients, consumer, send).run,
        )
        for consumer in pix_consumers(here.settings.mllp.pix_consumers)
    ]
