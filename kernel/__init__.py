"""The words everybody uses: identifiers, codes, times, refusals, events and the ledger.

Implements no wire format and knows no server; everything above imports it, it imports nobody.
"""
