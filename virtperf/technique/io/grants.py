"""Grants: how a driver domain gets at the pages of a guest, and what each way costs whom.

The guest names pages in a table, which is a write to memory. The back end then maps those of a
request in one hypercall, and unmaps them in another; who unmaps must know that no CPU translates
by them any more, so that the hypervisor interrupts every pCPU on which another vCPU of the driver
domain runs and waits for all, one such flush in the machine at a time. Or the hypervisor copies
the data. Or pages stay mapped for good (persistent grants), and the guest copies the data between
them and its own.
"""

from virtperf.path import Join, Path, Step, Transition, end, lock, ring, unlock, work
from virtperf.technique.costs import Costs

PAGE = 4096
TABLE, FLUSH = "grant-table lock", "flush lock"
GRANT, COPY = "dom0: grants", "dom0: grant copy"
DATA = "vcpu: copy to and from granted pages"
WAIT = "dom0: waits for other TLBs"
CALL = Transition(name="hypercall", reason="grant_table_op", where="dom0")


class Grants:
    """What grants take of a request, at each place where they take something.

    Parameters
    ----------
    kind : {'map', 'copy', 'persistent'}
    size : int
        Bytes of the request.
    direct : int
        Pages that a request names by itself; those of a larger one are listed in one more page.
    others : int
        Other vCPUs of the driver domain.
    """

    def __init__(self, kind: str, size: int, *, direct: int, others: int, costs: Costs) -> None:
        self.kind, self.size, self.costs, self.others = kind, size, costs, others
        self.pages = -(-size // PAGE)
        self.named = self.pages + (self.pages > direct)

    @property
    def copied_ns(self) -> float:
        """Time to copy the data once."""
        return self.costs.ns("copy_page") * self.size / PAGE

    def granted(self, where: str) -> Path:
        """Return the guest's entries in its table; pages that stay mapped have theirs."""
        if self.kind == "persistent":
            return ()
        ns = self.named * self.costs.ns("grant_entry")
        return (work(where, ns, "vcpu: grant entries", masked=True),)

    def copied_by_guest(self, where: str) -> Path:
        """Return the guest's copy."""
        if self.kind != "persistent":
            return ()
        return (work(where, self.copied_ns, DATA, masked=True),)

    def fetched(self, kind: str) -> Path:
        """Return what the back end does before the device."""
        if self.kind == "map":
            return self._call(self.named * self.costs.ns("grant_map"), GRANT)
        return self._copied() if self.kind == "copy" and kind == "write" else ()

    def returned(self, kind: str) -> Path:
        """Return what the back end does when the device is done."""
        if self.kind == "map":
            unmapped = self._call(self.named * self.costs.ns("grant_unmap"), GRANT)
            return (*unmapped, *flushed(self.costs, self.others))
        return self._copied() if self.kind == "copy" and kind == "read" else ()

    def _copied(self) -> Path:
        ns = self.pages * self.costs.ns("grant_copy") + self.copied_ns
        return self._call(ns, COPY)

    def _call(self, ns: float, account: str) -> Path:
        """Return one hypercall for all pages, under the lock of the guest's grant table."""
        return (CALL, lock(TABLE, masked=False), work("dom0", ns, account), unlock(TABLE))


def flushed(costs: Costs, others: int) -> Path:
    """Return the flush of all TLBs of the driver domain: its own, and, by interrupt, others."""
    ns = costs.ns("flush_handler")
    own: Step = work("dom0", ns, "dom0: TLB flush")
    if not others:
        return (own,)
    paths = tuple(
        (ring(f"flush{n}"), work(f"other{n}", ns, "dom0: TLB flush", masked=True), end())
        for n in range(1, others + 1)
    )
    join = Join(name="grant flush", paths=paths, account=WAIT)
    return (own, lock(FLUSH, masked=False), join, unlock(FLUSH))
