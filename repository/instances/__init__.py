"""DICOM reading: Part 10, header, frame table, DICOM JSON, KOS manifests (PS3.10, PS3.18 F, PS3.3 A.35.4).

Pure functions on bytes; called by workflows, projections and the DICOM adapters.
"""
