"""How the world talks to us: one folder per protocol, plumbing below (design D.6)."""
