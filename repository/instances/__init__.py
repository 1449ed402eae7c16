"""DICOM reading: Part 10, header, frame table, DICOM JSON, rendering, KOS manifests.

Implements PS3.10 7, PS3.5 7, PS3.18 F and PS3.3 A.35.4. Pure functions on octets; called by
workflows, projections and the DICOM adapters.
"""
