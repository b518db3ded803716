"""Prints the page: ``python -m virtperf.validation > docs/trust.md``."""

from virtperf.validation.render import markdown

print(markdown(), end="")
