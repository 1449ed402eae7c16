"""Patients and their identifiers (ITI TF-2 3.8): who is known, found by key, id or name.

Built from `registry/patients/events.py`; read by adapters and workflows through `view.py`.
"""
