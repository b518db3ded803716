"""Mechanisms: state without a clock.

They decide which path and how much; engines spend the time.
"""
