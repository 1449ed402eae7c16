"""HL7 v2 over MLLP: patient identity feed, merges, PIX and PDQ (ITI TF-2 3.8, 3.9, 3.10, 3.21).

`MllpServer` in `endpoint.py` is started by `server.processes`; the codec is ours, small and wary.
"""
