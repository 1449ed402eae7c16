"""How it is put together and run: settings, wiring, processes, command line (design C)."""
