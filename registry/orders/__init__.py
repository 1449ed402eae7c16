"""Exam orders: what is to be done with whom, when and on which device.

PS3.4 K (Modality Worklist), IHE RAD TF-1 3 (SWF). Called through `commands.py`; projections read
`events.py`.
"""
