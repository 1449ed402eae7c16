"""HL7 v3 over SOAP: PIXV3 and PDQV3 (ITI TF-2 3.44, 3.45, 3.47 and Appendix O).

`endpoint.py` is the service; one module a transaction; `decode.py` and `encode.py` are the codec.
"""
