"""Registered documents, submission sets, folders and associations, for stored queries.

Built from `registry/documents/events.py` (ITI TF-2 3.18); read by adapters/xds, portal and FHIR.
"""
