"""Grants of clients for the security administrator: bearer tokens, AE titles, certificates.

Design A6 over HTTP. Called by viewer-app and scripts; decided by `registry/access/commands.py`
through `workflows/administer_access.py`.
"""

from __future__ import annotations

from datetime import UTC
from typing import Final

from fastapi import APIRouter, Request, Response

from adapters.portal import encode
from adapters.portal.decode import AeTitleGrant, CertificateTrust, NewToken
from adapters.portal.faults import PROBLEMS, PortalRoute
from adapters.portal.ports import Portal
from kernel.times import from_micros, parse_dtm
from projections.permissions.view import AeTitleRow, TokenRow
from registry.access.values import Resource, Subject

_TOKEN: Final = Resource("token")
_AE_TITLE: Final = Resource("ae-title")
_CERTIFICATE: Final = Resource("certificate")


def routes(portal: Portal) -> APIRouter:
    """Return the routes of tokens, AE titles and certificates."""
    router = APIRouter(route_class=PortalRoute, responses=PROBLEMS, tags=["clients"])
    _add_tokens(router, portal)
    _add_ae_titles(router, portal)
    _add_certificates(router, portal)
    return router


def _add_tokens(router: APIRouter, portal: Portal) -> None:
    @router.get("/tokens")
    def list_tokens(request: Request) -> list[encode.Token]:
        """List the bearer tokens in force."""
        with portal.caller(request) as subject:
            _check(portal, subject, _TOKEN)
            rows = portal.guard.directory.refresh().tokens.values()
            _record(portal, subject, _TOKEN, "listed", len(rows))
            return [_token(row) for row in sorted(rows, key=lambda row: row.token_id)]

    @router.post("/tokens", status_code=201)
    def issue_token(token: NewToken, request: Request, response: Response) -> encode.IssuedToken:
        """Issue a bearer token; its secret is in this answer and nowhere else."""
        with portal.caller(request) as subject:
            _check(portal, subject, _TOKEN)
            expires = token.expires_at
            if expires is not None and expires.tzinfo is None:
                expires = expires.replace(tzinfo=portal.zone)
            made = portal.administration.issue_token(token.label, token.roles, expires)
            portal.guard.directory.refresh()
            told = f"issued {made.token_id}: {','.join(token.roles)}"
            _record(portal, subject, _TOKEN, told)
            response.headers["cache-control"] = "no-store"
            return encode.IssuedToken(token_id=made.token_id, token=made.secret)

    @router.delete("/tokens/{token_id}", status_code=204)
    def revoke_token(token_id: str, request: Request) -> Response:
        """Revoke a bearer token."""
        with portal.caller(request) as subject:
            _check(portal, subject, _TOKEN)
            portal.administration.revoke_token(token_id)
            portal.guard.directory.refresh()
            _record(portal, subject, _TOKEN, f"revoked {token_id}")
            return Response(status_code=204)


def _add_ae_titles(router: APIRouter, portal: Portal) -> None:
    @router.get("/ae-titles")
    def list_ae_titles(request: Request) -> list[encode.AeTitle]:
        """List the AE titles and what they are allowed."""
        with portal.caller(request) as subject:
            _check(portal, subject, _AE_TITLE)
            rows = portal.guard.directory.refresh().ae_titles.values()
            _record(portal, subject, _AE_TITLE, "listed", len(rows))
            return [_ae_title(row) for row in sorted(rows, key=lambda row: row.ae_title)]

    @router.post("/ae-titles", status_code=201)
    def allow_ae_title(grant: AeTitleGrant, request: Request) -> encode.AeTitle:
        """Allow an AE title, or replace what it is allowed."""
        with portal.caller(request) as subject:
            _check(portal, subject, _AE_TITLE)
            portal.administration.allow_ae(
                grant.ae_title,
                grant.networks,
                grant.rights,
                host=grant.host,
                port=grant.port,
                limits=grant.limits.values(),
            )
            title = grant.ae_title.strip()
            row = portal.guard.directory.refresh().ae_titles[title]
            told = f"allowed {title}: {','.join(row.rights)} from {','.join(row.networks)}"
            _record(portal, subject, _AE_TITLE, told)
            return _ae_title(row)

    @router.delete("/ae-titles/{ae_title}", status_code=204)
    def revoke_ae_title(ae_title: str, request: Request) -> Response:
        """Revoke an AE title."""
        with portal.caller(request) as subject:
            _check(portal, subject, _AE_TITLE)
            portal.administration.revoke_ae(ae_title)
            portal.guard.directory.refresh()
            _record(portal, subject, _AE_TITLE, f"revoked {ae_title}")
            return Response(status_code=204)


def _add_certificates(router: APIRouter, portal: Portal) -> None:
    @router.get("/certificates")
    def list_certificates(request: Request) -> list[encode.Certificate]:
        """List the trusted TLS client certificates."""
        with portal.caller(request) as subject:
            _check(portal, subject, _CERTIFICATE)
            rows = portal.guard.directory.refresh().certificates.values()
            _record(portal, subject, _CERTIFICATE, "listed", len(rows))
            return [
                encode.Certificate(
                    fingerprint=row.fingerprint, label=row.label, roles=list(row.roles)
                )
                for row in sorted(rows, key=lambda row: row.label)
            ]

    @router.post("/certificates", status_code=201)
    def trust_certificate(trust: CertificateTrust, request: Request) -> encode.Certificate:
        """Let a TLS client certificate stand for a system."""
        with portal.caller(request) as subject:
            _check(portal, subject, _CERTIFICATE)
            portal.administration.trust_certificate(trust.fingerprint, trust.label, trust.roles)
            portal.guard.directory.refresh()
            fingerprint = trust.fingerprint.replace(":", "").lower()
            told = f"trusted {trust.label} {fingerprint[:16]}: {','.join(trust.roles)}"
            _record(portal, subject, _CERTIFICATE, told)
            return encode.Certificate(fingerprint=fingerprint, label=trust.label, roles=trust.roles)

    @router.delete("/certificates/{fingerprint}", status_code=204)
    def revoke_certificate(fingerprint: str, request: Request) -> Response:
        """Stop to trust a TLS client certificate."""
        with portal.caller(request) as subject:
            _check(portal, subject, _CERTIFICATE)
            portal.administration.revoke_certificate(fingerprint)
            portal.guard.directory.refresh()
            _record(portal, subject, _CERTIFICATE, f"revoked {fingerprint[:16]}")
            return Response(status_code=204)


def _transaction(resource: Resource) -> str:
    return f"portal.{resource.kind}s"


def _check(portal: Portal, subject: Subject, resource: Resource) -> None:
    portal.guard.check(subject, "configure", resource, transaction=_transaction(resource))


def _record(
    portal: Portal, subject: Subject, resource: Resource, what: str, count: int = 1
) -> None:
    portal.guard.record(
        subject, "configure", "success", _transaction(resource), count=count, detail=what
    )


def _ae_title(row: AeTitleRow) -> encode.AeTitle:
    limits = row.limits
    return encode.AeTitle(
        ae_title=row.ae_title,
        networks=list(row.networks),
        rights=list(row.rights),
        host=row.host,
        port=row.port,
        limits=encode.AeTitleLimits(
            services=list(limits.services),
            sop_classes=list(limits.sop_classes),
            transfer_syntaxes=list(limits.transfer_syntaxes),
            max_associations=limits.max_associations,
            tls=limits.tls,
            certificates=list(limits.certificates),
            reached_by_tls=limits.reached_by_tls,
        ),
    )


def _token(row: TokenRow) -> encode.Token:
    return encode.Token(
        token_id=row.token_id,
        label=row.label,
        roles=list(row.roles),
        issued_at=from_micros(row.issued_at).astimezone(UTC),
        expires_at=parse_dtm(row.expires) if row.expires else None,
    )
