"""Sample patients, studies and documents of `pianku demo`, and the loaders that send them.

Design A1: the data enter through the real front doors, as an outside client would send them
(C-STORE, STOW-RS, ITI-41, ITI-8); nothing here imports the rooms behind those doors.
Called by `server.cli` for `pianku demo`; tests and benchmarks use the generators.
"""
