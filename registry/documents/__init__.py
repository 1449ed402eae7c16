"""Documents: register, replace, append, transform, deprecate (ITI TF-2 3.42, TF-3 4.2).

Called through `commands.py` by workflows, adapters and server; `events.py` is read by projections.
"""
