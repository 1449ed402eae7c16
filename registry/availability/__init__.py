"""Availability of instances: what other archives told us, and whom we owe a notification.

PS3.4 R (Instance Availability Notification), IHE RAD TF-2 4.49. Called through `commands.py`;
projections read `events.py`.
"""
