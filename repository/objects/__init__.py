"""Stored objects: content hash, size, copies (ITI TF-2 3.41).

Called through `commands.py` by workflows; the octets travel through `repository.tiers.ports`.
"""
