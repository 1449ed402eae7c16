"""Storage commitments: what a modality asked us to keep, and whether it was told that we do.

PS3.4 J (Storage Commitment Push Model). Called through `commands.py`; projections read `events.py`.
"""
