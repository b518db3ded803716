"""What the host's kernel does about a guest page that it has not given yet, or has paged out.

It is a fault on the memory of a process, the hypervisor's: the same under every technique. How the
hypervisor comes to take it is the technique's own.
"""

from virtperf.path import Path, work
from virtperf.technique.costs import Costs

ACCOUNT = "vcpu: host paging"


def zeroed(costs: Costs) -> Path:
    """Return the allocation of a host page, filled with zeros; `host_pages` of 4 KiB each."""
    more = costs.count("host_pages") - 1 if "host_pages" in costs else 0
    ns = costs.ns("host_fault") + (more * costs.ns("clear_page") if more else 0.0)
    return (work("vcpu", ns, ACCOUNT, masked=True, counts="host_faults.minor"),)


def page_in(costs: Costs) -> Path:
    """Return the CPU time of reading a page from the host's disk: the vCPU's thread sleeps."""
    parts = ("host_fault", "host_submit", "host_complete", "thread_wake_cpu")
    ns = sum(map(costs.ns, parts))
    return (work("vcpu", ns, ACCOUNT, masked=True, counts="host_faults.major"),)
