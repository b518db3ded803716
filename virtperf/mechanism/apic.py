"""How many commands an inter-processor interrupt to many vCPUs takes, each of them a vCPU exit.

The interrupt command register of the x2APIC addresses one processor in physical mode; in cluster
mode up to 16 of one cluster. A paravirtual call takes a bit mask of 128. (Intel SDM volume 3,
chapter on the APIC; Linux ``kvm_send_ipi_mask``.)
"""

from collections.abc import Iterable

from virtperf.errors import ParameterError

CLUSTER, MASK = 16, 128
MODES = ("physical", "cluster", "hypercall")


def commands(targets: Iterable[int], mode: str) -> int:
    """Return how many commands reach all targets, given by their APIC ids.

    Parameters
    ----------
    targets : iterable of int
    mode : {'physical', 'cluster', 'hypercall'}

    Raises
    ------
    ParameterError
        If the mode is unknown, or an id is negative.

    Examples
    --------
    >>> [commands(range(80), mode) for mode in MODES]
    [80, 5, 1]
    """
    ids = set(targets)
    if mode not in MODES:
        raise ParameterError("apic", "mode", f"one of {', '.join(MODES)}", mode)
    if any(target < 0 for target in ids):
        raise ParameterError("apic", "targets", "ids of at least 0", min(ids))
    if mode == "physical":
        return len(ids)
    if mode == "cluster":
        return len({target // CLUSTER for target in ids})
    reached, calls = -1, 0
    for target in sorted(ids):  # a mask begins at its lowest target
        if target > reached:
            reached, calls = target + MASK - 1, calls + 1
    return calls
