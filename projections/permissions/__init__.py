"""Effective rights: who may come in and what list queries may show (design A6).

Built from `registry/access/events.py`; read by `adapters/guard`, which keeps it in memory.
"""
