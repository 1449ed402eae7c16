"""Performed procedure steps: which are under way, which ended, and what they list.

PS3.4 F. Filled by `projection.py`, read through `view.py`.
"""
