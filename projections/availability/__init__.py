"""Notifications of availability: which are owed to whom, and what other archives told us.

PS3.4 R. Filled by `projection.py`, read through `view.py`.
"""
