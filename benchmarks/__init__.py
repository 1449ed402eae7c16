"""Side-by-side measurements with a peer: numbers for `docs/reference/benchmarks.md`.

Never timed assertions: a number tells the machine and the hour as much as the program.
"""
