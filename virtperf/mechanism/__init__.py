"""Mechanisms of virtualization as state without a clock: they hold, answer, and spend no time."""
