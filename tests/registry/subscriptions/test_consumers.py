"""Where notifications may go: what a rule lets through, and what slips through none (SSRF)."""

from __future__ import annotations

import pytest

from registry.subscriptions.consumers import AllowedConsumers, BadConsumerRule
from registry.subscriptions.refusals import ConsumerNotAllowed

RULES = AllowedConsumers(
    ("https://*.example.org/dsub", "http://10.0.0.5:*", "https://one.example", "http://[::1]:8080/")
)


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example.org/dsub",
        "https://A.EXAMPLE.org:443/dsub/x?y=1",
        "http://10.0.0.5:1234/any",
        "http://10.0.0.5",
        "https://one.example/",
        "http://[::1]:8080/x",
    ],
)
def test_allowed(address: str) -> None:
    assert RULES.check(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a.example.org/dsub",
        "http://a.example.org/dsub",
        "https://example.org/dsub",
        "https://a.example.org/dsubx",
        "https://a.example.org/dsub/../admin",
        "https://a.example.org/dsub/%2e%2E/admin",
        "https://a.example.org:8443/dsub",
        "https://a.example.org@evil.example/dsub",
        "https://evil.example/#a.example.org/dsub",
        "https://evilexample.org/dsub",
        "https://one.example.evil.example/",
        "https://user:secret@one.example/",
        "https://one.example\\@evil.example/",
        "https://one.example/ x",
        "https://one.example/\r\nHost: evil",
        "http://10.0.0.5:99999/",
        "http://10.0.0.50/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://10.0.0.5/",
        "http://[::1/",
        "https://one.example/" + "x" * 3000,
    ],
)
def test_refused(address: str) -> None:
    with pytest.raises(ConsumerNotAllowed) as problem:
        RULES.check(address)
    assert "secret" not in str(problem.value)


def test_without_rules_nothing_is_allowed() -> None:
    with pytest.raises(ConsumerNotAllowed):
        AllowedConsumers(()).check("https://one.example/")


@pytest.mark.parametrize(
    "rule", ["", "*", "one.example", "https://*", "https://a.*.org", "ftp://x"]
)
def test_a_rule_has_a_form(rule: str) -> None:
    with pytest.raises(BadConsumerRule):
        AllowedConsumers((rule,))
