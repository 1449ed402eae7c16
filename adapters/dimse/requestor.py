"""The requestor's side: open an association to another AE.

PS3.8 7 and 9.2 (states Sta4 to Sta7 of a requestor). Called by `c_move.py` (C-STORE as SCU),
`n_event_report.py` and `instance_availability.py`.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Self

from adapters.dimse import decode, encode
from adapters.dimse.contexts import ACCEPTED, Context, Operation
from adapters.dimse.decode import InvalidPdu, ProposedContext, UserInformation
from adapters.dimse.limits import Limits
from adapters.dimse.messages import Interrupted, Messages
from adapters.dimse.upper_layer import NO_REASON, SERVICE_USER
from adapters.dimse.wire import PeerClosed, PeerStalled, Wire
from kernel.refusals import Unavailable
from repository.instances.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

_ACCEPT: Final = 0x02
_MAX_ASSOCIATE: Final = 1 << 17


class DestinationUnavailable(Unavailable):
    """The destination of a retrieval cannot be reached, or accepts no association."""

    code = "destination_unavailable"


class DestinationLost(DestinationUnavailable):
    """The destination went away, or broke the protocol, in the middle of a retrieval."""

    code = "destination_lost"


class Requestor:
    """An association we asked for; a context manager that releases it."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        called_ae: str,
        calling_ae: str,
        proposed: Sequence[ProposedContext],
        limits: Limits,
        roles: tuple[tuple[str, bool, bool], ...] = (),
    ) -> None:
        """Associate; `roles` as in `UserInformation`. Raises DestinationUnavailable."""
        try:
            sock = socket.create_connection(address, timeout=limits.connect_seconds)
            try:
                sock = limits.secure(sock, called_ae)
            except BaseException:
                sock.close()
                raise
        except OSError as problem:
            raise DestinationUnavailable("the destination cannot be reached") from problem
        self._wire = Wire(sock, limits)
        try:
            self._associate((called_ae, calling_ae), proposed, limits, roles)
        except BaseException:
            self._wire.drop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(PeerClosed, PeerStalled, Interrupted):
            if kind is None:
                self._wire.send(encode.RELEASE_RQ)
                self._wire.take(len(encode.RELEASE_RP))
            else:
                self._wire.send(encode.abort(SERVICE_USER, NO_REASON))
        self._wire.drop()

    def _associate(
        self,
        titles: tuple[str, str],
        proposed: Sequence[ProposedContext],
        limits: Limits,
        roles: tuple[tuple[str, bool, bool], ...],
    ) -> None:
        user = UserInformation(
            limits.max_pdu, IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, roles
        )
        self._wire.expect_within(limits.artim_seconds)
        try:
            self._wire.send(encode.associate_request(*titles, proposed, user))
            kind, _, length = decode.pdu_head(bytes(self._wire.take(6)))
            if kind != _ACCEPT or length > _MAX_ASSOCIATE:
                raise DestinationUnavailable("the destination accepts no association")
            accept = decode.associate_accept(bytes(self._wire.take(length)))
        except (PeerClosed, PeerStalled, InvalidPdu) as problem:
            raise DestinationUnavailable("the destination accepts no association") from problem
        self._wire.begin_message()
        self.messages = Messages(self._wire, limits, peer_max_pdu=accept.user.max_pdu)
        abstract = {context.id: context.abstract_syntax for context in proposed}
        self.contexts = tuple(
            Context(
                result.id,
                abstract[result.id],
                result.transfer_syntax,
                Operation.STORE,
                peer_is_scu=False,
                peer_is_scp=True,
            )
            for result in accept.contexts
            if result.result == ACCEPTED and result.id in abstract
        )
