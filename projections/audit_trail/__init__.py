"""Who did what to whose data, when and from where (requirements 7.5, 9.2 P-8).

Built from `registry/audit/events.py` of the access ledger; read by the audit administrator.
"""
