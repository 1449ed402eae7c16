"""XDS.b and XDS-I.b: registry and repository over SOAP (ITI TF-2 3.18, 3.41, 3.42, 3.43, RAD-68).

`endpoint.py` is the door; one module a transaction; `decode.py` and `encode.py` are the codec.
"""
