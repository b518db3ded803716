"""Mechanisms: state without a clock; they decide which path and how much, engines spend the time."""
