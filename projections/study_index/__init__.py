"""Studies, series and instances as they are looked for: QIDO-RS, C-FIND, the portal's lists.

Answers PS3.18 10.6 (search), 10.4.1.1.2 (metadata) and PS3.4 C.4.1 with ready-made DICOM JSON.
"""
