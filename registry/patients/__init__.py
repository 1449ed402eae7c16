"""Patients: known identifiers and demographics (ITI TF-2 3.8).

Called through `commands.py` by workflows, adapters and server; `events.py` is read by projections.
"""
