"""Plumbing of HTTP doors: multipart/related, Accept negotiation, byte ranges, problem+json.

Implements RFC 2387, RFC 9110 12.5 and 14, RFC 9457. Used by the protocol adapters above it.
"""
