"""What happens when: one sentence per file, calling the commands of both sides (design B)."""
