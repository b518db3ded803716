"""What happened when: the recording of a run as tracks and arrows. Times are ticks."""

from dataclasses import dataclass

from virtperf.tables.rows import NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of one track in which nothing changed.

    Attributes
    ----------
    name : str
        Ledger account on a pCPU's track, state on a worker's.
    start, end : int
    worker : int
        Who ran, on a pCPU's track; NONE if nobody did.
    """

    name: str
    start: int
    end: int
    worker: int = NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A request that a doorbell brought: rung at `start`, taken up at `end`.

    Attributes
    ----------
    name : str
        The doorbell.
    sender : int
        Worker that rang; NONE for a device.
    consumer : int
    start, end : int
    """

    name: str
    sender: int
    consumer: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A recording of a run.

    Attributes
    ----------
    name : str
        Of the system.
    workers : tuple of str
        Names of the workers, by index.
    pcpus : tuple of tuple of Span, per pCPU
        Accounts; without gaps from 0 to `time`.
    states : tuple of tuple of Span, per worker
        States; without gaps from 0 to `time`.
    arrows : tuple of Arrow
        Those taken up before `time`.
    time : int
        End of the recording, which may be earlier than that of the run.
    """

    name: str
    workers: tuple[str, ...]
    pcpus: tuple[tuple[Span, ...], ...]
    states: tuple[tuple[Span, ...], ...]
    arrows: tuple[Arrow, ...]
    time: int
