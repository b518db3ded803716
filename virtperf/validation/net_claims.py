"""The claims about networks: kicks of a sender, transactions and their parts, virtual functions."""

from __future__ import annotations

from functools import partial

from virtperf.validation.claim import Claim
from virtperf.validation.net_runs import (
    KEPT,
    NO_APICV,
    SERVER,
    busily,
    carried,
    fitted,
    kicks,
    kvm,
    native,
    sent,
    slope,
)

_HOST = "slice thread_switch apicv vpid frequency exit_hardware exit_mitigations exit_kernel"
_SENDER = (
    *(f"makita18.{name}" for name in ("poll", "size", "outstanding", "line")),
    *(
        f"{SERVER}.{name}"
        for name in (
            f"{_HOST} exit_blocking kthread_wake_cpu ring_poll eventfd_signal thread_wake_delay "
            "net_interrupt net_send copy_bandwidth vhost_net_send host_forward nic_descriptor "
            "dma_read"
        ).split()
    ),
)
_ANSWERING = tuple(
    f"{SERVER}.{name}"
    for name in (
        f"{_HOST} exit_blocking kthread_wake_cpu ring_poll eventfd_signal thread_wake_delay "
        "net_interrupt net_send net_receive net_read copy_bandwidth vhost_net_send "
        "vhost_net_receive host_forward host_receive nic_descriptor dma_read"
    ).split()
)
_FUNCTIONS = (
    *(
        f"dong10.{name}"
        for name in ("line", "offered", "size", "pcpus", "vfs", "throttle", "few", "many")
    ),
    *(
        f"{NO_APICV}.{name}"
        for name in (
            f"{_HOST} exit_blocking host_interrupt thread_wake_delay net_interrupt dma_read "
            "iotlb_miss net_receive net_read copy_bandwidth"
        ).split()
    ),
)
_PLAIN = tuple(f"{SERVER}.{name}" for name in KEPT)
_SEGMENTS = ("out", "in", "inside", "inward", "outward", "between")
_FITTED = "every part of the path was given, and they add up: that the model has these parts, and "
_BY_RULE = "it follows from the event index and from who is quicker, worker or guest; "

NET_CLAIMS = (
    Claim(
        says="kicks per packet to a vhost worker that polls and asks for kicks again at each pass",
        outcome="makita18.kicks_reenabled",
        inputs=_SENDER,
        predict=partial(kicks, False),
        within=(0.6, 1.0),
        why=_BY_RULE + "without chance the model has every packet find the ring empty",
    ),
    Claim(
        says="kicks per packet to a vhost worker that polls and leaves notifications off",
        outcome="makita18.kicks_suppressed",
        inputs=_SENDER,
        predict=partial(kicks, True),
        within=(0.0, 0.001),
        why=_BY_RULE + "one wakes the worker, and it never sleeps again",
    ),
    Claim(
        says="UDP out of a guest whose every packet kicks, a kick at this platform's cost",
        outcome="makita18.reenabled",
        inputs=_SENDER,
        predict=partial(sent, False),
        tolerance=0.4,
        why="the platform's kick, an exit and a signal, takes 0.9 us; the letter's figures imply "
        "1.9 us, caches that move included",
    ),
    Claim(
        says="the same, a kick at the cost that the published figures imply",
        outcome="makita18.reenabled",
        inputs=(*_SENDER, "makita18.kick"),
        predict=fitted,
        tolerance=0.15,
        why="a fit; what is left is that here every packet kicks, and 0.8 of them did",
        kind="calibrated",
    ),
    Claim(
        says="UDP out of a guest that need not kick",
        outcome="makita18.suppressed",
        inputs=_SENDER,
        predict=partial(sent, True),
        tolerance=0.02,
        why="the guest's time per packet was taken from this figure: the worker keeps up with it",
        kind="calibrated",
    ),
    Claim(
        says="transactions of a byte each way to a guest whose process polls for 50 us",
        outcome="vnbusy.on",
        inputs=(*(f"vnbusy.{name}" for name in ("off", "poll", "line", "away")), *_ANSWERING),
        predict=busily,
        tolerance=0.25,
        why="all that a transaction without polling takes beyond known parts is taken for the "
        "guest's sleep, which polling saves; the parts are those of other machines",
    ),
    Claim(
        says="transactions of a byte each way, native",
        outcome="dall16.rr.native",
        inputs=("dall16.line", "dall16.between.native", "dall16.inside.native", *_PLAIN),
        predict=native,
        tolerance=0.02,
        why=_FITTED + "no other, is the claim",
        kind="calibrated",
    ),
    Claim(
        says="transactions of a byte each way, through vhost under KVM",
        outcome="dall16.rr.kvm",
        inputs=(
            "dall16.line",
            "dall16.frequency",
            *(f"dall16.{part}.kvm" for part in _SEGMENTS),
            *_PLAIN,
        ),
        predict=kvm,
        tolerance=0.02,
        why=_FITTED + "in this order, is the claim. Transitions alone would make 20,000 a second",
        kind="calibrated",
    ),
    Claim(
        says="60 virtual functions carry what the line brings, and lose nothing",
        outcome="dong10.throughput",
        inputs=tuple(name for name in _FUNCTIONS if name != "dong10.few"),
        predict=carried,
        tolerance=0.01,
        why="a law: what is offered and not lost goes through; it was offered at that rate",
        kind="calibrated",
        slow=True,
    ),
    Claim(
        says="CPU that a VM more takes where virtual functions share a line, interrupts not posted",
        outcome="dong10.slope",
        inputs=_FUNCTIONS,
        predict=slope,
        within=(0.010, 0.028),
        why="the slope is interrupts times what one takes; the publication's machine is older, and "
        "its range over kinds of guest is 1.8 to 2.8 %",
        slow=True,
    ),
)
