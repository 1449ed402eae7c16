"""Where the bytes are: objects and their copies, DICOM instances and tiers.

`repository` means the XDS Document Repository actor (ITI TF-1 10.1.1.3), never a ledger.
"""
