"""FHIR R4: MHD, PIXm, PDQm and ImagingStudy over HTTP, one module a transaction.

Implements ITI TF-2 3.65 to 3.68, 3.78, 3.83, 3.105 (IHE MHD 4.2, PIXm 3, PDQm 3) on HL7 FHIR 4.0.1.
"""
