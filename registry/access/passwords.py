"""Passwords: the policy and the argon2id hash.

Implements requirements 9.2 P-1 (>= 10 characters of 4 classes) and RFC 9106 4 (argon2id).
Called by `commands.py` and by the guard's sign-in, off the event loop: a hash costs ~50 ms.
"""

from __future__ import annotations

import secrets
import string
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from registry.access.refusals import WeakPassword

MIN_LENGTH: Final = 10
MAX_LENGTH: Final = 256
_HASHER: Final = PasswordHasher()  # RFC 9106's second recommended option: t=3, 64 MiB, p=4
_UNKNOWN: Final = _HASHER.hash(secrets.token_urlsafe(32))
"""What the password of an unknown user is compared with, so that it takes as long."""


def check_policy(password: str, login: str = "") -> str:
    """Return `password` if it is good enough; raises WeakPassword."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise WeakPassword("a password has 10 to 256 characters")
    classes = (
        any(c.islower() for c in password),
        any(c.isupper() for c in password),
        any(c.isdigit() for c in password),
        any(not c.isalnum() for c in password),
    )
    if not all(classes):
        raise WeakPassword("a password has lower case, upper case, digits and other characters")
    if login and login.casefold() in password.casefold():
        raise WeakPassword("a password does not hold the login")
    return password


def hash_password(password: str) -> str:
    """Return the argon2id string of a password."""
    return _HASHER.hash(password)


def verify_password(password_hash: str, password: str) -> bool:
    """Tell whether `password` is the one of `password_hash`; an empty hash never matches.

    An empty hash stands for an unknown user and costs the same time as a known one.
    """
    if len(password) > MAX_LENGTH:
        password = ""
    try:
        _HASHER.verify(password_hash or _UNKNOWN, password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(password_hash)


def generate_password(length: int = 16) -> str:
    """Return a random password that meets the policy (printed once, at the first start)."""
    alphabet = string.ascii_letters + string.digits + "-_.+"
    while True:
        password = "".join(secrets.choice(alphabet) for _ in range(length))
        try:
            return check_policy(password)
        except WeakPassword:
            continue
