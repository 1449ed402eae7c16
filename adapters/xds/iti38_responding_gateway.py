"""ITI-38 Cross Gateway Query, responding: our community's documents, each telling its home.

Implements ITI TF-2 3.38 for the Responding Gateway. Called by `endpoint.py` in a worker thread;
the registry's own ITI-18 does the search.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from adapters.guard.guard import Guard
from adapters.soap.door import Answer, Call, Transaction
from adapters.xds import cross_gateway_answers as answers
from adapters.xds.communities import missing_home, unknown_home
from adapters.xds.cross_gateway_answers import Merged
from adapters.xds.encode import RegistryError
from adapters.xds.faults import registry_error
from adapters.xds.gateway_query import GatewayQuery
from kernel.refusals import Refusal

TRANSACTION: Final = "ITI-38"


class RespondingGatewayQuery:
    """Answers other communities' queries from our registry."""

    def __init__(self, home: str, registry: Transaction, guard: Guard) -> None:
        self._home = home
        self._registry = registry
        self._guard = guard

    def __call__(self, call: Call) -> Answer:
        """Answer one query; it is passed on to nobody, so that no query goes in circles."""
        try:
            query = GatewayQuery(call.body)
        except Refusal as refusal:
            return self._refuse(call, "", registry_error(refusal))
        if query.home and query.home != self._home:
            return self._refuse(call, query.query_id, unknown_home(query.home))
        if not query.home and not query.by_patient:
            why = "a query that names no patient needs the home of its AdhocQuery"
            return self._refuse(call, query.query_id, missing_home(why))
        merged = Merged()
        merged.errors.extend(
            unknown_home(target, self._home) for target in query.targets if target != self._home
        )
        if query.targets and self._home not in query.targets:
            return Answer(answers.query_response(merged))
        found = etree.fromstring(self._registry(call).body)
        merged.add_query_response(found, self._home, own=True)
        return Answer(answers.query_response(merged))

    def _refuse(self, call: Call, query_id: str, error: RegistryError) -> Answer:
        self._guard.record(
            call.subject, "query", "failed", TRANSACTION, detail=f"{query_id} {error.code}".strip()
        )
        merged = Merged(errors=answers.located([error], self._home))
        return Answer(answers.query_response(merged))
