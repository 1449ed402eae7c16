"""Workitems: Unified Procedure Steps scheduled, claimed, changed and ended, and who watches.

PS3.4 CC, PS3.18 11. Called through `commands.py`; projections read `events.py`.
"""
