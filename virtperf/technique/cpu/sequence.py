"""What a short piece of code costs: counted from its listing, not measured.

One cycle for each instruction and one for each memory operand (a pair of brackets, or the stack of
a push, pop, call or return), times the platform's ``sequence_cycle``: `assumed`, for superscalar
processors do better and chains of dependent loads worse. A line ``look_up ...`` is a search in a
hash table, the platform's ``lookup``.
"""

from virtperf.technique.costs import Costs

LOOK_UP = "look_up"
ON_STACK = ("push", "pop", "pushf", "popf", "call", "ret")


def count(listing: str) -> tuple[int, int]:
    r"""Return the cycles and the look-ups of a listing, one instruction a line.

    Examples
    --------
    >>> count("mov [vcpu.eax], eax  ; a store\n look_up the trace of this page\n ret")
    (4, 1)
    """
    lines = [line.split(";")[0].strip() for line in listing.splitlines()]
    plain = [line for line in lines if line and not line.startswith(LOOK_UP)]
    look_ups = sum(line.startswith(LOOK_UP) for line in lines)
    stack = sum(line.split()[0] in ON_STACK for line in plain)
    return sum(1 + line.count("[") for line in plain) + stack, look_ups


def sequence_ns(costs: Costs, listing: str) -> float:
    """Return the time a listing takes, in ns."""
    cycles, look_ups = count(listing)
    ns = cycles * costs.ns("sequence_cycle")
    return ns + look_ups * costs.ns("lookup") if look_ups else ns
