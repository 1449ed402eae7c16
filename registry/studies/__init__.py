"""Imaging studies: instances stored, complete, manifest published (RAD TF-2 4.68, PS3.4 B).

Called through `commands.py` by workflows, adapters and server; `events.py` is read by projections.
"""
