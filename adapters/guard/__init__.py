"""The guard: who is calling, may he, and the record of it (design A6).

Every protocol's adapter asks it; it asks `registry/access` and writes through `registry/audit`.
"""
