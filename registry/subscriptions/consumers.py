"""Where notifications may go: only to addresses that the installation allows.

Implements the care ITI TF-2 3.52.6 asks for: a subscriber must not have us call where he cannot.
Pure; asked when somebody subscribes and before each sending, for the setting may have changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from kernel.refusals import Invalid
from registry.subscriptions.refusals import ConsumerNotAllowed

_LONGEST: Final = 2048
_PORTS: Final = {"http": 80, "https": 443}
_NOT_IN_A_URL: Final = re.compile(r"[^\x21-\x7e]|[\"<>\\^`{|}]")
_RULE: Final = re.compile(
    r"(https?)://(\*\.[\w.-]+|[\w.-]+|\[[0-9a-fA-F:.]+\])(?::(\d+|\*))?(/.*)?"
)


class BadConsumerRule(Invalid):
    """A rule on consumer addresses does not have the form scheme://host[:port][/path]."""

    code = "bad_consumer_rule"


@dataclass(frozen=True, slots=True)
class _Rule:
    scheme: str
    host: str
    port: int | None
    """None: any."""
    path: str


class AllowedConsumers:
    """Rules like `https://*.example.org/dsub` or `http://10.0.0.5:*`; without any, no address.

    `*.` before a domain stands for its hosts, `*` as port for any, a path for what is below it.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self._rules = tuple(_rule(text) for text in rules)

    def check(self, address: str) -> str:
        """Return the address if notifications may go there; raises ConsumerNotAllowed."""
        try:
            parts = urlsplit(address)
            port = parts.port
        except ValueError:
            raise ConsumerNotAllowed("the consumer's address is no URL") from None
        host = (parts.hostname or "").lower()
        plain = not (parts.username or parts.password or parts.fragment)
        if (
            len(address) > _LONGEST
            or _NOT_IN_A_URL.search(address)
            or not host
            or not plain
            or parts.scheme not in _PORTS
        ):
            raise ConsumerNotAllowed(
                "the consumer's address must be a plain http or https URL without user or fragment"
            )
        port = _PORTS[parts.scheme] if port is None else port
        path = parts.path or "/"
        for rule in self._rules:
            if (
                rule.scheme == parts.scheme
                and _same_host(rule.host, host)
                and rule.port in {None, port}
                and _below(rule.path, path)
            ):
                return address
        raise ConsumerNotAllowed


def _rule(text: str) -> _Rule:
    found = _RULE.fullmatch(text.strip())
    if found is None:
        raise BadConsumerRule(f"{text[:120]} is no rule of the form scheme://host[:port][/path]")
    scheme, host, port, path = found.groups()
    number = None if port == "*" else int(port or _PORTS[scheme])
    return _Rule(scheme, host.strip("[]").lower(), number, (path or "/").rstrip("/") or "/")


def _same_host(rule: str, host: str) -> bool:
    return host.endswith(rule[1:]) if rule.startswith("*.") else host == rule


def _below(rule: str, path: str) -> bool:
    # Dots could climb out of the path that is allowed.
    if any(step.replace("%2e", ".").replace("%2E", ".") in {".", ".."} for step in path.split("/")):
        return False
    return rule in {"/", path} or path.startswith(f"{rule}/")
