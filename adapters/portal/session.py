"""Sign in, who am I, sign out, change the password.

Implements requirements 9.2 P-1 and P-2: the cookie is HttpOnly and SameSite=Strict, the id new
each time. Called by viewer-app; the work is in `adapters/guard/sign_in.py`.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from adapters.guard.credentials import SESSION_COOKIE, offered
from adapters.guard.guard import SignedIn
from adapters.portal import encode
from adapters.portal.decode import Credentials, PasswordChange
from adapters.portal.faults import PROBLEMS, PortalRoute
from adapters.portal.ports import PROTOCOL, Portal
from kernel.context import acting_as
from registry.access.refusals import SignedOut


def routes(portal: Portal) -> APIRouter:
    """Return the routes of the session."""
    router = APIRouter(route_class=PortalRoute, responses=PROBLEMS, tags=["session"])

    @router.post("/session")
    def sign_in(credentials: Credentials, request: Request, response: Response) -> encode.Session:
        """Open a session; 401 says `bad_credentials` or `account_locked`."""
        seen = offered(request)
        signed_in = portal.sign_in.sign_in(
            credentials.user,
            credentials.password.get_secret_value(),
            seen.address,
            replaces=seen.session,
        )
        _set_cookie(request, response, signed_in)
        return encode.session(signed_in)

    @router.get("/session")
    def read_session(request: Request, response: Response) -> encode.Session:
        """Tell who is signed in."""
        response.headers["cache-control"] = "no-store"
        return encode.session(portal.guard.signed_in(request))

    @router.delete("/session", status_code=204)
    def sign_out(request: Request) -> Response:
        """End the session on the server."""
        response = Response(status_code=204)
        response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="strict")
        try:
            signed_in = portal.guard.signed_in(request)
        except SignedOut:
            return response
        portal.sign_in.sign_out(signed_in)
        return response

    @router.put("/session/password")
    def change_password(
        change: PasswordChange, request: Request, response: Response
    ) -> encode.Session:
        """Change one's own password; every other session of the account ends."""
        signed_in = portal.guard.signed_in(request)
        login = signed_in.account.login
        with acting_as(portal.guard.envelope(signed_in.subject, PROTOCOL)):
            portal.administration.change_password(
                login, change.new.get_secret_value(), change.current.get_secret_value()
            )
            portal.guard.record(
                signed_in.subject, "configure", "success", "portal.password", detail="own password"
            )
            renewed = portal.sign_in.renew(signed_in)
        _set_cookie(request, response, renewed)
        return encode.session(renewed)

    return router


def _set_cookie(request: Request, response: Response, signed_in: SignedIn) -> None:
    response.headers["cache-control"] = "no-store"
    response.set_cookie(
        SESSION_COOKIE,
        signed_in.session.secret,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
