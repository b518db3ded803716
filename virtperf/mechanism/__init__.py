"""Mechanisms: state without a clock.

They decide which path is taken and how much of it; engines spend the time.
"""
