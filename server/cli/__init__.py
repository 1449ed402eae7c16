"""The command line: one module per noun (design C, F)."""
