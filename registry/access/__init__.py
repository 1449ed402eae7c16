"""Accounts, tokens, AE titles, certificates and the one decision (design A6).

Called through `commands.py` by workflows, adapters and server; `events.py` is read by projections.
"""
