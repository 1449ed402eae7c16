"""Access events, append-only (ITI TF-2 3.20, requirements 7.5).

Called through `commands.py` by workflows, adapters and server; `events.py` is read by projections.
"""
