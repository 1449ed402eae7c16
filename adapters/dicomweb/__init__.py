"""DICOMweb: STOW-RS, QIDO-RS, WADO-RS with metadata, frames, bulk data and rendered pictures.

Implements PS3.18 10 (Studies Service). A bare ASGI application, mounted by `server.http`.
"""
