"""Workitems as they are searched for, who watches them, and the reports still owed.

PS3.4 CC.2.3, CC.2.4 and CC.2.8. Filled by `projection.py`, read through `view.py`.
"""
