"""Subscriptions: who wants to hear of which documents, and what became of the notifications.

ITI TF-2 3.52 to 3.54 (DSUB). Called through `commands.py`; `events.py` is read by projections.
"""
