"""HL7 v2 over MLLP: the patient identity feed (ITI TF-2 3.8).

`MllpServer` in `endpoint.py` is started by `server.processes`; the codec is ours, small and wary.
"""
