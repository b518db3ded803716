"""Who can reach what by DMA, path by path: counted on a small machine, told in words.

On it a guest, another guest and the host have some frames each. The guest's device is put into the
domain that its path gives it, requests are made and ended, and what is reached is counted.
"""

from dataclasses import dataclass
from typing import Literal

from virtperf.mechanism.iommu import Iommu, Mapper, Reach, reach, reach_unprotected
from virtperf.mechanism.memory.geometry import structure
from virtperf.technique import matrix
from virtperf.technique.io.dma import EACH
from virtperf.technique.io.features import feature

Extent = Literal["all", "what is mapped", "none"]
FRAMES, UNDER_WAY, ENDED = 64, 4, 4
DEVICE, MINE, OTHER, HOST = "device", "mine", "other", "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What a path lets its device reach.

    Attributes
    ----------
    technique, guest, iommu : str
    own, others, host : {'all', 'what is mapped', 'none'}
        Of the memory of whoever drives the device, of other guests, of the host.
    stale : bool
        Whether pages are reached after they were unmapped, until the next flush.
    by : {'IOMMU', 'software', 'nobody'}
        Who refuses all else.
    overcommit : str
        Whether memory may be overcommitted: yes, no or partly.
    """

    technique: str
    guest: str
    iommu: str
    own: Extent
    others: Extent
    host: Extent
    stale: bool
    by: Literal["IOMMU", "software", "nobody"]
    overcommit: str

    @property
    def protected(self) -> bool:
        """Whether nobody else's memory is reached."""
        return self.others == "none" and self.host == "none"


def protection(technique: str, guest: str = "unmodified", iommu: str | None = None) -> Protection:
    """Return what a disk technique's device reaches.

    Parameters
    ----------
    technique, guest : str
    iommu : str, optional
        How an IOMMU is used; by default as goes with the technique.

    Examples
    --------
    >>> protection("passthrough").others
    'none'
    >>> protection("passthrough", "ported", "none").others
    'all'
    """
    mode = iommu or matrix.default_iommu(technique)
    overcommit = feature(technique, "overcommit").can
    if technique not in matrix.DIRECT:
        return Protection(
            technique=technique,
            guest=guest,
            iommu="-",
            own="all",
            others="none",
            host="none",
            stale=False,
            by="software",
            overcommit=overcommit,
        )
    if technique in matrix.GIVEN and mode in EACH:
        overcommit = "partly"  # what is mapped is pinned
    native = technique not in matrix.GIVEN
    open_ = mode == "none" or (native and mode == "static")
    found = _counted(mode, open_=open_, owner=HOST if native else MINE)
    return Protection(
        technique=technique,
        guest=guest,
        iommu=mode,
        own=_extent(found.own),
        others=_extent(found.others),
        host="none" if native else _extent(found.host),
        stale=found.stale > 0,
        by="nobody" if open_ else "IOMMU",
        overcommit=overcommit,
    )


def table() -> list[Protection]:
    """Return every path in each way to protect it; guests are ported only where they must be."""
    rows = []
    for technique in matrix.disk_techniques():
        for mode in matrix.iommu_modes(technique) or (None,):
            lost = technique in matrix.GIVEN and mode == "none"
            rows.append(protection(technique, "ported" if lost else "unmodified", mode))
    return rows


def _extent(frames: int) -> Extent:
    if not frames:
        return "none"
    return "all" if frames >= FRAMES else "what is mapped"


def _counted(mode: str, *, open_: bool, owner: str) -> Reach:
    """Make some requests on the small machine; return what the device reaches then."""
    owners = {frame: (MINE, OTHER, HOST)[frame // FRAMES] for frame in range(3 * FRAMES)}
    if open_:
        return reach_unprotected(owner, owners)
    mine = [frame for frame, whose in owners.items() if whose == owner]
    iommu = Iommu(structure("FA64"))
    tables = iommu.add_domain(owner)
    iommu.attach(DEVICE, owner)
    if mode not in EACH:
        for guest_frame, frame in enumerate(mine):
            tables.map(guest_frame, frame)
        return reach(iommu, DEVICE, owner, owners)
    way: Literal["strict", "deferred"] = "deferred" if mode.endswith("deferred") else "strict"
    mapper = Mapper(iommu, owner, mode=way)
    given = [mapper.map([frame]) for frame in mine[: UNDER_WAY + ENDED]]
    for iova in given:
        iommu.dma(DEVICE, iova)
    for iova in given[UNDER_WAY:]:
        mapper.unmap(iova)
    return reach(iommu, DEVICE, owner, owners)
