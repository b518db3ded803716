"""Benchmarks: ``python -m tests.benchmark`` prints every ratio and writes them down."""
