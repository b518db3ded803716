"""Who can reach what by DMA: frames counted by their owners."""

from collections.abc import Mapping
from typing import NamedTuple

from virtperf.mechanism.iommu.unit import Iommu

HOST = "host"


class Reach(NamedTuple):
    """The frames a device can reach, by whose they are.

    Attributes
    ----------
    own, others, host : int
        Of the device's owner, of other guests, of the host and its hypervisor.
    stale : int
        Among all: reached by what the IOMMU remembers, and the tables allow no more.
    """

    own: int
    others: int
    host: int
    stale: int = 0

    @property
    def foreign(self) -> int:
        """Frames of anybody else."""
        return self.others + self.host


def reach(iommu: Iommu, device: str, owner: str, owners: Mapping[int, str]) -> Reach:
    """Return what a device behind an IOMMU reaches.

    Parameters
    ----------
    iommu : Iommu
    device, owner : str
        The device, and whose it is.
    owners : mapping of int to str
        Frame to owner; ``"host"`` is the host.
    """
    domain = iommu.domain_of(device)
    if domain is None:
        return Reach(0, 0, 0)
    allowed = set(iommu.domains[domain].frames())
    stale = {found.frame for _, found in iommu.stale(domain)} - allowed
    return _counted(allowed | stale, owner, owners, len(stale))


def reach_unprotected(owner: str, owners: Mapping[int, str]) -> Reach:
    """Return what a device without an IOMMU reaches: a guest that knows machine addresses, all."""
    return _counted(set(owners), owner, owners, 0)


def misdirected(frames: Mapping[int, int]) -> int:
    """Return the pages whose DMA ends elsewhere without an IOMMU, in a guest that is unmodified.

    Parameters
    ----------
    frames : mapping of int to int
        Guest frame to machine frame. The driver writes guest frames into its descriptors, and the
        device takes them for machine frames.
    """
    return sum(guest != machine for guest, machine in frames.items())


def _counted(frames: set[int], owner: str, owners: Mapping[int, str], stale: int) -> Reach:
    whose = [owners.get(frame, HOST) for frame in frames]
    own, host = whose.count(owner), whose.count(HOST) if owner != HOST else 0
    return Reach(own, len(whose) - own - host, host, stale)
