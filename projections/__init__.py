"""What can be asked: read models built from events (design A4).

A view is a folder: `view.py` (rows and queries), `tables.py` (SQLAlchemy Core), `projection.py`.
"""
