"""Commitments asked for, and which of them are still owed a report.

PS3.4 J. Filled by `projection.py`, read through `view.py`.
"""
