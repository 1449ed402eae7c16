"""Scheduled procedure steps that modalities ask for, until they are done.

PS3.4 K. Filled by `projection.py`, read through `view.py`.
"""
