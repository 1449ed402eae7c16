"""Where every instance and frame lies: object key, size and frame offsets (design A5, A6).

Answers PS3.18 10.4 (retrieve) and PS3.4 C.4.2, C.4.3 (move, get) with one lookup and one read.
"""
