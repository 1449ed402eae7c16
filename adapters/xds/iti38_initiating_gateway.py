"""ITI-18 at the gateway: ask our registry and the other communities (ITI-38), answer as one.

Implements ITI TF-2 3.38 and 3.18.4.1.3 for the Initiating Gateway. Called by `endpoint.py` in a
worker thread; the communities are asked in threads of their own, each with its time limit.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from adapters.guard.guard import Guard
from adapters.soap.client import Peer
from adapters.soap.door import Answer, Call, Transaction
from adapters.xds import cross_gateway_answers as answers
from adapters.xds import names
from adapters.xds.communities import (
    Asking,
    Communities,
    Community,
    missing_home,
    unavailable,
    unknown_home,
)
from adapters.xds.cross_gateway_answers import Merged
from adapters.xds.encode import RegistryError
from adapters.xds.faults import registry_error
from adapters.xds.gateway_query import GatewayQuery
from kernel.identifiers import PatientId, PatientKeys
from kernel.refusals import Refusal
from registry.access.values import Resource

TRANSACTION: Final = "ITI-38"


class InitiatingGatewayQuery:
    """Answers our consumers' queries from all communities that the query is for."""

    def __init__(
        self,
        communities: Communities,
        registry: Transaction,
        guard: Guard,
        patient_keys: PatientKeys,
    ) -> None:
        self._communities = communities
        self._registry = registry
        self._guard = guard
        self._patient_keys = patient_keys

    def __call__(self, call: Call) -> Answer:
        """Answer one query."""
        try:
            query = GatewayQuery(call.body)
        except Refusal as refusal:
            return self._refuse(call, "", registry_error(refusal))
        if not query.home and not query.by_patient:
            why = "a query that names no patient needs the home of its AdhocQuery"
            return self._refuse(call, query.query_id, missing_home(why))
        merged = Merged()
        ours, others = self._wanted(query, merged)
        patient = query.patient()
        key = None if patient is None else self._patient_keys.key(patient)
        if others:
            self._guard.check(
                call.subject, "query", Resource("document", key), transaction=TRANSACTION
            )
        asked = []
        for one, peer in others:
            asking = self._ask(query, one, peer, patient)
            if asking is not None:
                asked.append((one, asking))
        try:
            if ours:
                found = etree.fromstring(self._registry(call).body)
                merged.add_query_response(found, self._communities.home, own=True)
            for one, asking in asked:
                self._take(call, query, one, asking, merged)
        finally:
            for _, asking in asked:
                asking.forget()
        return Answer(answers.query_response(merged))

    def _wanted(
        self, query: GatewayQuery, merged: Merged
    ) -> tuple[bool, list[tuple[Community, Peer]]]:
        """Return whether our registry is asked, and the other communities that are."""
        home, known = self._communities.home, self._communities.others
        if query.home or query.targets:
            homes = {query.home} if query.home else set(query.targets)
        else:
            homes = {home, *known}
        merged.errors.extend(
            unknown_home(one) for one in sorted(homes) if one != home and one not in known
        )
        others = []
        for one in known.values():
            if one.home in homes and one.query is not None:
                others.append((one, one.query))
            elif one.home in homes and query.home:
                why = f"{one.home} answers no queries"
                merged.errors.append(RegistryError("XDSUnavailableCommunity", why, one.home))
        return home in homes, others

    def _ask(
        self, query: GatewayQuery, one: Community, peer: Peer, patient: PatientId | None
    ) -> Asking | None:
        """Ask a community; None when it knows the patient by no identifier of its own.

        Ours would find nothing there, and is none of its business.
        """
        theirs = None
        if patient is not None and one.assigning_authority not in {"", patient.authority}:
            theirs = self._communities.correlate(patient, one.assigning_authority)
            if theirs is None:
                return None
        home = one.home if query.home else ""
        return self._communities.ask(peer, names.ITI_38, query.for_community(home, theirs))

    def _take(
        self, call: Call, query: GatewayQuery, one: Community, asking: Asking, merged: Merged
    ) -> None:
        """Wait for a community's answer, record that it was asked, add what it says."""
        before = len(merged.errors)
        count = 0
        try:
            with asking.reply() as reply:
                count = merged.add_query_response(reply.body, one.home, own=False)
        except Refusal as problem:
            merged.errors.append(unavailable(one.home, problem))
        wrong = [e.code for e in merged.errors[before:] if e.severity == names.ERROR]
        failed = wrong[0] if wrong else ""
        patient = query.patient()
        self._guard.record(
            call.subject,
            "query",
            "failed" if failed else "success",
            TRANSACTION,
            patient_keys=() if patient is None else (self._patient_keys.key(patient),),
            count=count,
            detail=f"{query.query_id} {one.home} {failed}".strip(),
        )

    def _refuse(self, call: Call, query_id: str, error: RegistryError) -> Answer:
        self._guard.record(
            call.subject, "query", "failed", TRANSACTION, detail=f"{query_id} {error.code}".strip()
        )
        return Answer(
            answers.query_response(Merged(errors=answers.located([error], self._communities.home)))
        )
