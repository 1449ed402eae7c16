"""Subscriptions in force and the notifications they caused: waiting, delivered, dead, withheld.

ITI TF-2 3.52, 3.53. Filled by `projection.py`, read through `view.py`.
"""
