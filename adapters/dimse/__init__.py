"""DIMSE over TCP on one port: C-ECHO, C-STORE, C-FIND, C-MOVE, C-GET (PS3.7, PS3.8, PS3.4 B, C).

Our own upper layer, a thread an association: octets go from the socket to the tier as they come.
Put together in `endpoint.py`, which `server.wiring` starts.
"""
