"""The guard itself: turns credentials into a Subject, asks the decision, records the access.

Implements design A6 and requirements 7.5; fails closed: no record, no answer.
Called by every protocol's endpoint; one guard a process, made by `server.wiring`.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final, TypeVar
from uuid import UUID

from starlette.requests import HTTPConnection

from adapters.guard.credentials import Offered, is_loopback, offered
from adapters.guard.directory import Directory
from adapters.guard.sessions import Session, SessionStore
from kernel.context import Envelope, current
from kernel.ledger.ports import Ledger
from kernel.refusals import Forbidden, Refusal, Unauthenticated, Unavailable
from kernel.times import Clock, dtm, from_micros, now, pad_dtm
from projections.permissions.view import AccountRow, AeTitleRow, Snapshot
from registry.access.decision import decide
from registry.access.refusals import CsrfMissing, PasswordMustChange, SignedOut
from registry.access.values import AE_RIGHTS, NO_LIMITS, AeLimits, Resource, Role, Subject
from registry.audit import commands as audit

T = TypeVar("T")

log = logging.getLogger("pianku.guard")
_RECORD_SECONDS: Final = 30.0
_SYSTEM: Final = frozenset({str(Role.SYSTEM)})
SYSTEM_PATHS: Final = ("/xds/", "/xca/", "/dsub", "/hl7v3", "/fhir/")
"""The doors of systems, where the demo lets programs of this machine in as `loopback`."""


class AuditUnavailable(Unavailable):
    """The access cannot be recorded now, so it is not given."""

    code = "audit_unavailable"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with the account behind it, as it stands now."""

    session: Session
    account: AccountRow
    subject: Subject
    must_change: bool
    """The password was set by somebody else or is too old: first it must be changed."""


class Guard:
    """Who is calling, may he, and the record of it. Thread safe."""

    def __init__(
        self,
        directory: Directory,
        sessions: SessionStore,
        access: Ledger,
        *,
        node: str = "",
        clock: Clock = now,
        loopback_system: bool = False,
    ) -> None:
        self.directory = directory
        self.sessions = sessions
        self._access = access
        self._node = node
        self._clock = clock
        self._loopback_system = loopback_system

    # -- who is calling ----------------------------------------------------------------------

    def http_subject(self, request: HTTPConnection) -> Subject:
        """Return the caller of an HTTP request; raises Unauthenticated.

        Looked at in this order: bearer token, session cookie, TLS client certificate, and on
        the doors of systems the demo's loopback. What was offered and is wrong is not passed
        over, except a cookie that has run out: it only says that nobody is signed in.
        """
        seen = offered(request)
        if seen.bearer is not None:
            return self._token_subject(seen)
        if seen.session:
            signed_in = self._signed_in(seen)
            if signed_in is not None:
                if signed_in.must_change:
                    raise PasswordMustChange
                return signed_in.subject
        if seen.fingerprint:
            return self.certificate_subject(seen.fingerprint, seen.address)
        if self._loopback_system and seen.local and seen.path.startswith(SYSTEM_PATHS):
            return self._loopback(seen.address)
        raise SignedOut

    def signed_in(self, request: HTTPConnection) -> SignedIn:
        """Return the session of a browser; raises SignedOut. CSRF is checked here too."""
        found = self._signed_in(offered(request))
        if found is None:
            raise SignedOut
        return found

    def ae_subject(self, calling_ae: str, address: str, fingerprint: str | None = None) -> Subject:
        """Return the caller of a DICOM association; raises Unauthenticated.

        `fingerprint` names the certificate he showed, empty: TLS without one, None: no TLS.
        """
        title = calling_ae.strip()
        subject = self._named_subject(title, address, "dimse")
        held = self.ae_limits(title)
        if (held.tls and fingerprint is None) or (
            held.certificates and fingerprint not in held.certificates
        ):
            self._refused("dimse", address, "ae_certificate")
            raise Unauthenticated("the calling application must come by TLS, as it is known")
        return subject

    def ae_limits(self, ae_title: str) -> AeLimits:
        """Return what an AE title is held to beside its rights."""
        row = _titled(self.directory.current(), ae_title.strip())
        return NO_LIMITS if row is None else row.limits

    def mllp_subject(self, application: str, address: str, fingerprint: str = "") -> Subject:
        """Return the sender of an HL7 v2 message (MSH-3 and network, or its certificate)."""
        if fingerprint:
            return self.certificate_subject(fingerprint, address)
        if self._loopback_system and is_loopback(address):
            return self._loopback(address)
        return self._named_subject(application.strip(), address, "mllp")

    def certificate_subject(self, fingerprint: str, address: str) -> Subject:
        """Return the system that a TLS client certificate stands for; raises Unauthenticated."""
        row = self._look_up(lambda snapshot: snapshot.certificates.get(fingerprint.lower()))
        if row is None:
            self._refused("certificate", address, "certificate_unknown")
            raise Unauthenticated("the client certificate is not trusted")
        roles = frozenset(row.roles)
        return Subject(row.label, "certificate", roles, address, fingerprint[:16])

    def destination(self, ae_title: str) -> tuple[str, int] | None:
        """Return host and port of a C-MOVE destination, or None if it is not one."""
        title = ae_title.strip()
        row = self._look_up(lambda snapshot: snapshot.ae_titles.get(title))
        return (row.host, row.port) if row is not None and row.host and row.port else None

    # -- may he ------------------------------------------------------------------------------

    def check(
        self, subject: Subject, action: str, resource: Resource, *, transaction: str = ""
    ) -> None:
        """Raise Forbidden unless `subject` may do `action` to `resource`; records a denial."""
        decision = decide(subject, action, resource)
        if decision.allowed:
            return
        self.record(
            subject,
            action,
            "denied",
            transaction or f"{resource.kind}.{action}",
            patient_keys=() if resource.patient_key is None else (resource.patient_key,),
            study_uids=(resource.study_uid,) if resource.study_uid else (),
            document_ids=(resource.document_id,) if resource.document_id else (),
            detail=decision.reason,
        )
        raise Forbidden("the caller may not do this", action=action, kind=resource.kind)

    # -- the record --------------------------------------------------------------------------

    def record(
        self,
        subject: Subject,
        action: str,
        outcome: str,
        transaction: str,
        *,
        patient_keys: Iterable[UUID] = (),
        study_uids: Iterable[str] = (),
        document_ids: Iterable[str] = (),
        count: int = 0,
        detail: str = "",
    ) -> None:
        """Record an access durably; raises AuditUnavailable, and then nothing may be answered.

        It waits for the ledger's group commit: call it from a worker thread. Async doors
        await `asyncio.wrap_future(guard.record_soon(...))` instead.
        """
        future = self.record_soon(
            subject,
            action,
            outcome,
            transaction,
            patient_keys=patient_keys,
            study_uids=study_uids,
            document_ids=document_ids,
            count=count,
            detail=detail,
        )
        try:
            future.result(_RECORD_SECONDS)
        except (Refusal, FutureTimeout, OSError) as problem:
            raise AuditUnavailable from problem

    def record_soon(
        self,
        subject: Subject,
        action: str,
        outcome: str,
        transaction: str,
        *,
        patient_keys: Iterable[UUID] = (),
        study_uids: Iterable[str] = (),
        document_ids: Iterable[str] = (),
        count: int = 0,
        detail: str = "",
    ) -> Future[int]:
        """Begin to record an access; the answer may go out once the future is done well."""
        envelope = current()
        if envelope.subject != subject.name or envelope.subject_kind != subject.kind:
            envelope = self.envelope(subject, transaction.partition(".")[0].lower())
        batch = audit.record(
            envelope,
            self._clock(),
            action=action,
            outcome=outcome,
            transaction=transaction,
            patient_keys=patient_keys,
            study_uids=study_uids,
            document_ids=document_ids,
            count=count,
            detail=detail,
        )
        try:
            return self._access.append_soon(batch)
        except Refusal as problem:
            raise AuditUnavailable from problem

    def envelope(self, subject: Subject, protocol: str, *, source: str = "") -> Envelope:
        """Return the envelope that `kernel.context.acting_as` takes for this caller."""
        return Envelope(
            subject=subject.name,
            subject_kind=subject.kind,
            protocol=protocol,
            address=subject.address,
            node=self._node,
            source=source,
        )

    # -- inside ------------------------------------------------------------------------------

    def with_account(self, session: Session, account: AccountRow, address: str) -> SignedIn:
        """Return a session with the account behind it."""
        age = self._clock() - from_micros(account.password_at)
        must_change = account.must_change or age > self.sessions.limits.password_age
        return SignedIn(session, account, self.account_subject(account, address), must_change)

    def account_subject(self, account: AccountRow, address: str) -> Subject:
        """Return the Subject of a person's account."""
        roles = frozenset(account.roles)
        return Subject(account.login, "account", roles, address, account.display_name)

    def _signed_in(self, seen: Offered) -> SignedIn | None:
        session = self.sessions.find(seen.session, attended=seen.attended) if seen.session else None
        if session is None:
            return None
        account = self.directory.current().accounts.get(session.login)
        if account is None or account.disabled or session.credential != credential(account):
            # Disabled, or the password was changed after this session began.
            self.sessions.destroy(session.secret)
            return None
        if seen.changes_state and not _same(seen.csrf, session.csrf):
            raise CsrfMissing
        return self.with_account(session, account, seen.address)

    def _token_subject(self, seen: Offered) -> Subject:
        digest = hashlib.sha256((seen.bearer or "").encode()).hexdigest()
        row = self._look_up(lambda snapshot: snapshot.tokens.get(digest))
        if row is None or (row.expires and pad_dtm(row.expires) <= dtm(self._clock())):
            self._refused("token", seen.address, "token_unknown" if row is None else "expired")
            raise Unauthenticated("the bearer token is not good")
        return Subject(row.token_id, "token", frozenset(row.roles), seen.address, row.label)

    def _named_subject(self, name: str, address: str, protocol: str) -> Subject:
        row = self._look_up(lambda snapshot: _titled(snapshot, name))
        if row is not None and _within(address, row.networks):
            return Subject(name, "ae", _SYSTEM, address, row.ae_title, frozenset(row.rights))
        if self._loopback_system and is_loopback(address):
            return Subject(name, "ae", _SYSTEM, address, "loopback", AE_RIGHTS)
        self._refused(protocol, address, "ae_unknown" if row is None else "ae_network")
        raise Unauthenticated("the calling application is not allowed from this address")

    def _loopback(self, address: str) -> Subject:
        return Subject("loopback", "system", _SYSTEM, address, "loopback")

    def _look_up(self, pick: Callable[[Snapshot], T | None]) -> T | None:
        found = pick(self.directory.current())
        return pick(self.directory.newest()) if found is None else found

    def _refused(self, what: str, address: str, reason: str) -> None:
        """Record that credentials were refused; the caller is told no in any case."""
        stranger = Subject("unknown", what, frozenset(), address)
        try:
            self.record_soon(stranger, "login", "denied", f"guard.{what}", detail=reason)
        except AuditUnavailable:
            log.warning("refusal not recorded", extra={"reason": reason})


def credential(account: AccountRow) -> str:
    """Return what names the account's present password in a session, without telling it."""
    return hashlib.sha256(account.password_hash.encode()).hexdigest()


def _titled(snapshot: Snapshot, name: str) -> AeTitleRow | None:
    return snapshot.ae_titles.get(name) or snapshot.ae_titles.get("*")


def _same(told: str, expected: str) -> bool:
    return hmac.compare_digest(told.encode(), expected.encode())


def _within(address: str, networks: Iterable[str]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    candidates = (parsed,) if mapped is None else (parsed, mapped)
    return any(c in ip_network(n, strict=False) for n in networks for c in candidates)
