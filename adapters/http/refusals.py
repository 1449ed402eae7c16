"""Why an HTTP message cannot be used, whatever the protocol above it.

RFC 9110 15.5 names the status of each; raised by this plumbing, mapped by `problem.py`.
"""

from __future__ import annotations

from typing import ClassVar

from kernel.refusals import Invalid, NotFound, TooMuch


class BadMultipart(Invalid):
    """The multipart body is malformed or ends early."""

    code: ClassVar[str] = "bad_multipart"


class UnsupportedMedia(Invalid):
    """The body is of a media type that this resource does not take."""

    code: ClassVar[str] = "unsupported_media"


class NotAcceptable(Invalid):
    """The resource has no representation that the client accepts."""

    code: ClassVar[str] = "not_acceptable"


class MethodNotAllowed(Invalid):
    """The resource does not have this method."""

    code: ClassVar[str] = "method_not_allowed"


class BadRange(Invalid):
    """No octet lies in the range that is asked for."""

    code: ClassVar[str] = "bad_range"


class NoSuchPath(NotFound):
    """There is no such resource."""

    code: ClassVar[str] = "no_such_path"


class BodyTooLarge(TooMuch):
    """The body, one of its parts or their number passes the limit."""

    code: ClassVar[str] = "body_too_large"


class ClientGone(Exception):  # noqa: N818 - nobody is left to be refused
    """The client closed the connection before its request was complete."""
