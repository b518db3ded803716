"""The state of a run as tables of whole numbers: what each row has, and what of it never changes.

The first fields of a row are those of the row of `virtperf.tables` it is made from; below the line
is what changes during a run. A row refers to another one by its number, NONE (-1) is no row. A
queue is a first and a final row, each row knowing the one behind it.
"""

from typing import Any

import numpy as np

from virtperf.fast.tables import WORD, reader, row_at
from virtperf.rules.policies import CONSTANTS, PCPU_FIELDS, POOL_FIELDS, WORKER_FIELDS
from virtperf.tables import Idle

NONE = -1
STATES, CONSUMERS = 7, 5  # how many members WorkerState and ConsumerState have
AFFINITY = 18  # words that tell which pCPUs a worker may use
DEPTH = 20  # frames of one fibre, and its bottom: the deepest nesting is 16, a test counts


def _row(fields: str, **arrays: int) -> "np.dtype[Any]":
    """Return a record of whole numbers, and of arrays of them with the given lengths."""
    plain: list[Any] = [(name, "i8") for name in fields.split()]
    return np.dtype(plain + [(name, "i8", (length,)) for name, length in arrays.items()])


POOL = _row(
    "count crew particular reloads entries policy slice switch switch_account tick period"
    " sharing sharing_account"
    f" {' '.join(CONSTANTS)}"
    # ---
    " idle head tail armed switches preemptions migrations"
    f" {' '.join(POOL_FIELDS)}",
    idle_accounts=len(Idle),
)
PCPU = _row(
    "index"
    # ---
    " worker last dispatched charged ran used intruder first final"
    " timer alarms slice_key work work_key"  # when the policy looks again; what runs on it ends
    " account since"  # of its ledger; the times are in `cpu`
    " tape taped holder"  # of its recording: the last span, since when, and who was there
    f" {' '.join(PCPU_FIELDS)}"
)
WORKER = _row(
    "index pin host inbox interrupt tasks batch_account poll_account spin_account slice polls"
    " poll_kind poll_most poll_start poll_grow poll_shrink poll_hits poll_misses"
    " wake_first wake_last pickup_first pickup_last switch_first switch_last"
    " weight cap leader kin flush refill forgets refill_account wake_group"
    " walks entries pages room touches tagged"
    " pause_window pause_grow directed pause_first pause_last kick_first kick_last"
    # ---
    " state entered"  # its clock
    " last next pcpu queued requested alarm alarms away stopped end stood account plain"
    " switch_left refill_left seen_ran switches_anew level"
    " tlb_time seen_used"
    " owes_flush pace piece ahead slowed"  # of its work on a shared core
    " masked spinning holds need task process_of"
    " spin_window gave_way eligible turn"  # of who spins
    " first final since ticked armed expired task_alarms"  # its guest's run queue
    " polling yields window came polled idle_since batches"
    " fibre top top_end blocked seen below tape taped"
    f" {' '.join(WORKER_FIELDS)}",
    affinity=AFFINITY,
    times=STATES,
    waits=STATES,
)
INBOX = _row(
    "index worker level batch lock sibling bells"
    " prologue_first prologue_last epilogue_first epilogue_last"
    # ---
    " fresh_first fresh_final again_first again_final waiting"
    " deferred_first deferred_final gathered resumed"
    " debt_first debt_last in_turn told notified runnable behind"
)
BELL = _row(
    "index inbox rule counter timer count sibling"
    # ---
    " produced event batch rung pending signals alarms",
    pay_first=CONSUMERS,
    pay_last=CONSUMERS,
    delay=CONSUMERS,
    debt_first=CONSUMERS,
    debt_last=CONSUMERS,
)
STATION = _row(
    "index kind servers wake wait_account discipline spin"
    # ---
    " busy busy_sum busy_since queued queued_sum queued_since first final holder level alarms most"
)
SOURCE = _row(
    "index inbox outstanding open think classes choice draws"
    # ---
    " alarms"
    " made made_at made_end"  # what requests need: where it stands in `feed`, the next, the last
    " gaps gaps_at gaps_end thinks thinks_at thinks_end"
)
CLASS = _row("group path inbox side")
STEP = _row("kind ticks draw account target defer masked counter hold other times")
TIMER = _row(
    "index worker period tickless klass"
    # ---
    " pending alarms"
)
WAITER = _row(  # a level of a worker, at a lock
    "index level lock sleeps patience over owns running behind"
)
NEED = _row("active deaf request lock step")  # of a level of a worker
REQUEST = _row(
    "index source klass group side"
    # ---
    " created step since home alive behind serial order"
    " place station ticks account"  # at a station
    " deferred edge aside_account aside credits"
    " sleeps left over stays"  # the wait of who keeps it, or for its answers
    " answers lender lender_serial"
    " rung_bell rung_sender rung_at",
    mark=STATES,
)
CREDIT = _row("station behind")  # one that a request holds
FRAME = _row("code at request step left start inbox count wait sleeps account kept")
FIBRE = _row("top")  # where its frame on top is, while another fibre runs
ALARM = _row("time key ref")
ENTRANT = _row("time key")  # a pCPU in the race: its next alarm
EVENT = _row("what ref")
SPAN = _row("dial start end worker before")
ARROW = _row("bell sender consumer start end")

TABLES: dict[str, "np.dtype[Any]"] = {
    "pools": POOL,
    "pcpus": PCPU,
    "workers": WORKER,
    "inboxes": INBOX,
    "bells": BELL,
    "stations": STATION,
    "sources": SOURCE,
    "classes": CLASS,
    "steps": STEP,
    "timers": TIMER,
    "waiters": WAITER,
    "needs": NEED,
    "requests": REQUEST,
    "credits": CREDIT,
    "frames": FRAME,
    "fibres": FIBRE,
    "agenda": ALARM,
    "events": EVENT,
    "entrants": ENTRANT,
    "race": WORD,  # who is first of each half, of each half of that, and so on
    "spans": SPAN,
    "arrows": ARROW,
    "cpu": WORD,  # pCPU x account
    "booked": WORD,  # request x account
    "drawn": WORD,  # request x random time
    "feed": WORD,  # random numbers that wait to be used
    "counters": WORD,
    "totals": WORD,  # group x account
    "completed": WORD,
    "residence": WORD,
    "sides": WORD,
    "side_residence": WORD,
    "waking": WORD,  # by wake group
    "ends": WORD,
    "sums": WORD,
    "histograms": WORD,  # closed ones and the open one, x group or wake group x bucket
    "looks": WORD,  # snapshots: closed ones, one row each
}
STATE = _row(
    "now status culprit"  # why the loop was left, and whose fault it was
    " budget"  # number of alarms at which it is left in any case
    " accounts width groups observed fibres_of_tasks"  # sizes; `observed` is of all histograms
    " left seen idle_ticks alarms alive fresh serial admitted crowded"
    " scheduled vacant"  # alarms in the agenda; whether the first has happened
    " late"  # pCPU whose next alarm is not in the race yet
    " caused happened"  # events caused and handled since the start
    " active"  # worker whose fibre runs
    " in_system in_system_sum in_system_since"
    " free_request free_credit"
    " wish room"  # for a look from Python at the next alarm; requests alive that are one
    " batch count sum closed snaps buckets look_width"
    " search pile"
    " recording spans_left tape_end spans_used arrows_used "
    + " ".join(f"{name} {name}_rows" for name in TABLES)
)

state_at = row_at("state", STATE)
pools = reader(STATE, "pools", POOL)
pcpus = reader(STATE, "pcpus", PCPU)
workers = reader(STATE, "workers", WORKER)
inboxes = reader(STATE, "inboxes", INBOX)
bells = reader(STATE, "bells", BELL)
stations = reader(STATE, "stations", STATION)
sources = reader(STATE, "sources", SOURCE)
classes = reader(STATE, "classes", CLASS)
steps = reader(STATE, "steps", STEP)
timers = reader(STATE, "timers", TIMER)
waiters = reader(STATE, "waiters", WAITER)
needs = reader(STATE, "needs", NEED)
requests = reader(STATE, "requests", REQUEST)
credits = reader(STATE, "credits", CREDIT)
frames = reader(STATE, "frames", FRAME)
fibres = reader(STATE, "fibres", FIBRE)
agenda = reader(STATE, "agenda", ALARM)
events = reader(STATE, "events", EVENT)
entrants = reader(STATE, "entrants", ENTRANT)
race = reader(STATE, "race", WORD)
spans = reader(STATE, "spans", SPAN)
arrows = reader(STATE, "arrows", ARROW)
cpu = reader(STATE, "cpu", WORD)
booked = reader(STATE, "booked", WORD)
drawn = reader(STATE, "drawn", WORD)
feed = reader(STATE, "feed", WORD)
counters = reader(STATE, "counters", WORD)
totals = reader(STATE, "totals", WORD)
completed = reader(STATE, "completed", WORD)
residence = reader(STATE, "residence", WORD)
sides = reader(STATE, "sides", WORD)
side_residence = reader(STATE, "side_residence", WORD)
waking = reader(STATE, "waking", WORD)
ends = reader(STATE, "ends", WORD)
sums = reader(STATE, "sums", WORD)
histograms = reader(STATE, "histograms", WORD)
looks = reader(STATE, "looks", WORD)
