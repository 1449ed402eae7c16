"""Both sides of a retrieval between communities: hand out ours, or ask all and answer as one.

Implements ITI TF-2 3.39.4.1.3 and RAD TF-3 4.75.4.1.3 for Responding and Initiating Gateway. Made
by `iti39_cross_gateway_retrieve.py` and `rad75_cross_gateway_retrieve_imaging.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lxml import etree

from adapters.guard.guard import Guard
from adapters.soap.client import Peer
from adapters.soap.door import Answer, Call, Transaction
from adapters.xds import names
from adapters.xds.communities import Asking, Communities, Community, unavailable
from adapters.xds.encode import RegistryError
from adapters.xds.gateway_retrieve import Collected, GatewayRetrieve, Retrieval
from kernel.refusals import Refusal
from registry.access.values import Resource


class RespondingGatewayRetrieve:
    """Hands out our documents to other communities."""

    def __init__(self, kind: Retrieval, home: str, ours: Transaction, guard: Guard) -> None:
        self._kind = kind
        self._home = home
        self._ours = ours
        self._guard = guard

    def __call__(self, call: Call) -> Answer:
        """Answer one retrieval; it is passed on to nobody, so that none goes in circles."""
        self._kind.check(call.body)
        retrieval = GatewayRetrieve(call.body)
        strays = retrieval.strays((self._home,))
        # The community that finds an error is ours, whatever the request names.
        collected = Collected(replace(error, location=self._home) for error in strays)
        if strays:
            self._record_strays(call, retrieval, strays)
        if self._home in retrieval.by_home:
            body = retrieval.for_community(self._home) if strays else call.body
            collected.add_own(self._ours(replace(call, body=body)), self._home)
        return collected.answer()

    def _record_strays(
        self, call: Call, retrieval: GatewayRetrieve, strays: list[RegistryError]
    ) -> None:
        self._guard.record(
            call.subject,
            "retrieve",
            "failed",
            self._kind.transaction,
            document_ids=[
                unique_id
                for home, unique_ids in retrieval.by_home.items()
                if home != self._home
                for unique_id in unique_ids
            ],
            count=len(strays),
            detail=strays[0].code,
        )


class InitiatingGatewayRetrieve:
    """Fetches documents for our consumers, wherever they lie."""

    def __init__(
        self,
        kind: Retrieval,
        communities: Communities,
        ours: Transaction,
        guard: Guard,
        *,
        peer: Callable[[Community], Peer | None],
    ) -> None:
        self._kind = kind
        self._communities = communities
        self._ours = ours
        self._guard = guard
        self._peer = peer

    def __call__(self, call: Call) -> Answer:
        """Answer one retrieval."""
        self._kind.check(call.body)
        retrieval = GatewayRetrieve(call.body)
        home = self._communities.home
        peers = {
            one.home: peer
            for one in self._communities.others.values()
            if one.home in retrieval.by_home and (peer := self._peer(one)) is not None
        }
        for community in peers:
            for unique_id in retrieval.by_home[community]:
                resource = Resource("document", document_id=unique_id)
                self._guard.check(
                    call.subject, "retrieve", resource, transaction=self._kind.transaction
                )
        collected = Collected(retrieval.strays({home, *peers}))
        asked = {one: self._ask(retrieval, one, peer) for one, peer in peers.items()}
        try:
            if home in retrieval.by_home:
                body = retrieval.for_community(home)
                collected.add_own(self._ours(replace(call, body=body)), home)
            for community, asking in asked.items():
                self._take(call, community, asking, retrieval.by_home[community], collected)
        except BaseException:
            collected.discard()
            raise
        finally:
            for asking in asked.values():
                asking.forget()
        return collected.answer(f"{names.ITI_43}Response")

    def _ask(self, retrieval: GatewayRetrieve, home: str, peer: Peer) -> Asking:
        text = etree.tostring(retrieval.for_community(home), encoding="unicode")
        return self._communities.ask(peer, self._kind.action, text, mtom=True)

    def _take(
        self, call: Call, home: str, asking: Asking, wanted: list[str], collected: Collected
    ) -> None:
        """Wait for a community's answer, record what came and what did not, add it."""
        came: list[str] = []
        errors = collected.merged.errors
        before = len(errors)
        try:
            with asking.reply() as reply:
                came = collected.add_reply(reply, home, wanted)
        except Refusal as problem:
            errors.append(unavailable(home, problem))
        self._record(call, "success", came, home)
        code = errors[before].code if len(errors) > before else ""
        self._record(call, "failed", sorted(set(wanted).difference(came)), f"{home} {code}".strip())

    def _record(self, call: Call, outcome: str, unique_ids: list[str], detail: str) -> None:
        if unique_ids:
            self._guard.record(
                call.subject,
                "retrieve",
                outcome,
                self._kind.transaction,
                document_ids=unique_ids,
                count=len(unique_ids),
                detail=detail,
            )
