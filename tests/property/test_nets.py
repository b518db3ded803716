"""Networks that nobody thought of: both engines agree, and what must hold of any holds.

Rates are such that the slowest path keeps up: a guest whose interrupts leave its processes no time
finishes nothing, and no run of it ends.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines import both
from tests.nets import NICS, Ran, net
from virtperf.technique.net import Message

pytestmark = pytest.mark.property
PARAVIRTUAL = ("virtio-net", "vhost-net", "vhost-user-net")
LOADS = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("rr"),
            "outstanding": st.integers(1, 40),
            "request": st.integers(1, 5000),
            "think": st.integers(0, 50_000),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("stream"),
            "direction": st.sampled_from(["in", "out"]),
            "window": st.integers(1, 40),
            "segment": st.integers(1, 65_536),
            "rtt": st.integers(0, 50_000),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("packets"),
            "direction": st.sampled_from(["in", "out"]),
            "size": st.integers(1, 1472),
            "rate": st.integers(1000, 8000),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("server"),
            "rate": st.integers(1000, 3000),
            "reply": st.integers(1, 9000),
            "jobs": st.integers(1, 3),
        }
    ),
)


@st.composite
def networks(draw):
    """Return the words of `tests.nets.net`."""
    technique, vcpus = draw(st.sampled_from(NICS)), draw(st.integers(1, 2))
    nic, physical = {}, {"rate": draw(st.sampled_from(["1Gbit/s", "10Gbit/s", "100Gbit/s"]))}
    if technique in PARAVIRTUAL:
        nic["ring"] = 2 ** draw(st.integers(0, 8))
    elif technique not in ("emulated-e1000", "xen-netfront"):  # whose rings are what they are
        nic["ring"] = draw(st.integers(1, 600))
    if technique == "vhost-net":
        nic |= {"poll": draw(st.integers(1, 20_000)), "suppress": draw(st.booleans())}
    if technique != "emulated-e1000":
        nic["queues"] = draw(st.integers(1, vcpus))
    if draw(st.booleans()):
        physical["moderation"] = {"timer": draw(st.integers(1, 100_000)), "count": 8}
    words = {"nic": nic, "physical": physical, "vcpus": vcpus, "pcpus": draw(st.integers(2, 4))}
    if technique != "passthrough":
        words["count"] = draw(st.integers(1, 2))
    return technique, draw(LOADS), words


@settings(max_examples=30, derandomize=True, deadline=None)
@given(networks())
def test_both_engines_say_the_same(network):
    technique, load, words = network
    compiled, reference = both(net(technique, load, platform="x86-kvm-2020", **words), requests=80)
    assert compiled == reference


@settings(max_examples=30, derandomize=True, deadline=None)
@given(networks())
def test_no_line_is_exceeded_and_nobody_is_told_of_more_than_there_is(network):
    technique, load, words = network
    built = net(technique, load, platform="x86-kvm-2020", **words)
    ran = Ran(built, 300)
    for row, busy in zip(built.stations, ran.last.busy, strict=True):
        if row.name in ("eth0.out", "eth0.in"):
            assert busy <= ran.last.time
    messages_out = Message(data=load.get("segment", load.get("reply", 1))).packets
    assert ran.counts.get("kicks", 0) <= ran.counts.get("packets.out", 0) + messages_out
    held = ran.last.in_system - sum(ran.last.residence)
    assert held >= 0
