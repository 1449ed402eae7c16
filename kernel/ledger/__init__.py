"""The ledger: append, load, follow, replay, verify (design A3).

`ports.py` is what other rooms use; `sqlite.py` and `postgres.py` are the engines.
"""
