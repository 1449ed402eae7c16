"""Performed procedure steps: what a modality says it is doing, has done, or gave up.

PS3.4 F (Modality Performed Procedure Step), IHE RAD TF-2 4.6 and 4.7. Called through
`commands.py`; projections read `events.py`.
"""
