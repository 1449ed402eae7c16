"""Tiers of storage: the BlobStore port (design A5).

Implemented by `adapters/storage`, chosen by `server.wiring`.
"""
