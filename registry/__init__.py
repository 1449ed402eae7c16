"""What is known: documents, patients, studies, people and permissions.

No I/O and no wire format here; the only door into each room is its `commands.py`.
"""
