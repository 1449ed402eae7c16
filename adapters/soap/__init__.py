"""SOAP 1.2 with WS-Addressing, MTOM/XOP and WSDL serving (ITI TF-2 Appendix V); plumbing.

Used by the protocols that speak SOAP: adapters/xds now, adapters/hl7v3 later.
"""
