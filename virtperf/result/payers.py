"""Who pays for a request: CPU time by payer, polling apart in what found something and what not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from virtperf.result import Result

PAYERS = (
    "guest",
    "exits",
    "emulation on vCPUs",
    "host threads",
    "driver domain",
    "polling, useful",
    "polling, wasted",
    "switching",
)
"""Who pays, in the order in which a request meets them."""
_EXITS = (
    *("vcpu: exit ", "vcpu: trap ", "vcpu: monitor ", "vcpu: hypercall ", "vcpu: reflected "),
    *("vcpu: eventfd", "vcpu: event injection"),
    *("vcpu: shadow paging", "vcpu: host paging", "vcpu: callout"),  # what such an exit is for
)
_EMULATION = ("vcpu: device model", "vcpu: host I/O")


def payer(account: str) -> str:
    """Return who pays for what is booked under `account`; "" for time that nobody uses.

    A look that finds something is useful polling, all looks before it are wasted, also those that
    save a wake-up: how much that is worth is the reader's to say.

    Examples
    --------
    >>> payer("iothread: host I/O"), payer("polling core: polling"), payer("vcpu: exit kick")
    ('host threads', 'polling, wasted', 'exits')
    >>> payer("dom0: blkback")
    'driver domain'
    """
    role, _, what = account.partition(": ")
    if role == "idle":
        return ""
    if what.endswith("poll pick-up"):
        return "polling, useful"
    if what.endswith("polling"):
        return "polling, wasted"
    if account.startswith(_EXITS):
        return "exits"
    if account.startswith(_EMULATION):
        return "emulation on vCPUs"
    if role == "dom0":
        return "driver domain"
    if role == "host" or not what:  # a switch, or time that a sibling on the core has cost
        return "switching"
    return "guest" if role == "vcpu" else "host threads"


def payers(result: Result) -> pd.DataFrame:
    """Return CPU time per request by who pays it, one row per point.

    Parameters
    ----------
    result : Result

    Returns
    -------
    pandas.DataFrame
        A column ``point``, one for each of `PAYERS`, in ns, and ``total``.
    """
    import pandas as pd

    rows = []
    for point in result.labels:
        spent = dict.fromkeys(PAYERS, 0.0)
        here = result.cpu[result.cpu["point"] == point]
        for account, ns in zip(here["account"], here["ns"], strict=True):
            if who := payer(str(account)):
                spent[who] += float(ns)
        rows.append({"point": point, **spent, "total": sum(spent.values())})
    return pd.DataFrame(rows, columns=["point", *PAYERS, "total"])
