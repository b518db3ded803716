"""One walk without caches, step by step: which table of which dimension is read, and why."""

from typing import NamedTuple

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.pages import PageSize, address_bits

TABLES = ("PT", "PD", "PDPT", "PML4", "PML5")


class Step(NamedTuple):
    """One read of a table entry, or the access to the data at the end.

    Attributes
    ----------
    dimension : {'guest', 'host', 'data'}
    table : str
        The kind of table that is read: PML5, PML4, PDPT, PD, PT.
    finds : str
        What the entry leads to.
    """

    dimension: str
    table: str
    finds: str


def walk_steps(
    guest: PageSize,
    host: PageSize | None = None,
    *,
    tables_on: PageSize | None = None,
    levels: int = 4,
    nested_levels: int = 4,
    switch_at: int | None = None,
) -> list[Step]:
    """Return the steps of a walk with no cache, the access to the data included.

    Parameters
    ----------
    guest : PageSize
        Leaf of the guest's, or the only, tree.
    host : PageSize, optional
        Leaf of the host's tree where data lie; natively none. A shadow or direct table walks as a
        native one.
    tables_on : PageSize, optional
        Leaf of the host's tree where the guest's tables lie; as `host` if not given.
    levels, nested_levels : int
        Depth of the trees.
    switch_at : int, optional
        Agile paging: only so many of the lowest guest levels are walked in the guest's own tables,
        each with a walk of the host's behind it; the levels above are in a shadow table. All guest
        levels so is one host walk less than plain nested paging, where the root has one too.

    Raises
    ------
    ParameterError
        If a depth is not 4 or 5, or agile paging is asked for natively or for too many levels.

    References
    ----------
    .. [1] R. Bhargava et al., "Accelerating two-dimensional page walks for virtualized systems",
       ASPLOS 2008.
    .. [2] J. Gandhi, M. Hill, M. Swift, "Agile paging: exceeding the best of nested and shadow
       paging", ISCA 2016.
    """
    address_bits(levels), address_bits(nested_levels)
    most = levels - guest
    if switch_at is not None and (host is None or not 0 <= switch_at <= most):
        rule = f"nested, with 0 to {most} guest levels"
        raise ParameterError("walk", "switch_at", rule, switch_at)
    steps: list[Step] = []
    below = host if tables_on is None else tables_on
    for level in range(levels, guest.level - 1, -1):
        table = TABLES[level - 1]
        own = switch_at is None or level - guest.level < switch_at
        first = switch_at is not None and level - guest.level == switch_at - 1
        if below is not None and own and not first:
            steps += _host_walk(below, nested_levels, f"the guest's {table}")
        leads = "the data" if level == guest.level else f"the {TABLES[level - 2]}"
        steps.append(Step("guest" if own else "shadow", table, f"{leads} (guest-physical)"))
        if host is None or not own:
            steps[-1] = steps[-1]._replace(finds=leads)
    if host is not None and switch_at != 0:
        steps += _host_walk(host, nested_levels, "the data")
    return [*steps, Step("data", "", "the access itself")]


def references(steps: list[Step]) -> int:
    """Return how many of the steps read a table."""
    return sum(step.dimension != "data" for step in steps)


def _host_walk(leaf: PageSize, levels: int, target: str) -> list[Step]:
    """Return the reads that find a guest-physical frame."""
    steps = []
    for level in range(levels, leaf.level - 1, -1):
        leads = f"where {target} lies" if level == leaf.level else f"the host's {TABLES[level - 2]}"
        steps.append(Step("host", TABLES[level - 1], leads))
    return steps
