"""Tiers of storage behind `repository.tiers.ports.BlobStore` (design A5).

`local.py` is the hot tier on plain OS calls; other tiers come beside it. Chosen by `server.wiring`.
"""
