"""Random small systems with direct access: engines agree, and what cannot happen does not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines import both
from tests.laws.test_direct_access import LEGAL, direct

WORDS = {
    "case": st.sampled_from(LEGAL),
    "vcpus": st.integers(1, 3),
    "pcpus": st.integers(1, 3),
    "jobs": st.integers(1, 4),
    "outstanding": st.integers(1, 9),
    "posted": st.booleans(),
    "slice_": st.sampled_from(["20us", "300us"]),
    "moderated": st.booleans(),
    "shared": st.booleans(),
    "platform": st.sampled_from(["toy", "zen1-kvm-guest"]),
}


def build_one(case, vcpus, pcpus, jobs, outstanding, posted, slice_, moderated, shared, platform):
    """Return a system with one VM that has a device, or is the machine; queues may be shared."""
    disk, mode = case
    words = {"vcpus": vcpus, "pcpus": pcpus, "slice": slice_, "platform": platform}
    words["load"] = {"kind": "closed", "outstanding": outstanding, "jobs": jobs}
    words["options"] = {"queues": 1} if shared else {}
    if disk != "native":
        words["options"]["posted"] = posted and platform == "toy"  # the other cannot
    if moderated:
        words["device"] = {"moderation": {"timer": "30us", "count": 4}}
    return direct(disk, mode, **words)


@settings(max_examples=40)
@given(**{**WORDS, "seed": st.integers(1, 10)})
def test_both_engines_make_the_same_run(seed, **words):
    one, other = both(build_one(**words), seed=seed, requests=200)
    assert "error" not in one
    assert one == other


@settings(max_examples=40)
@given(**WORDS)
def test_maps_exits_and_flushes_keep_their_bounds(**words):
    """As many maps as requests begun, an unmap for each that came back, no exits beyond theirs."""
    built, (disk, mode) = build_one(**words), words["case"]
    seen, _ = both(built, requests=200)
    totals = dict(zip(built.counters, seen["snapshots"][-1].counters, strict=True))
    done, under_way = 200, words["jobs"] * words["outstanding"]

    if mode in ("none", "static"):
        assert "dma_maps" not in totals
        exits = {name for name in totals if name.startswith("exits.")}
        legal = {"exits.hlt", "exits.interrupt", "exits.eoi", "exits.ipi"}
        assert exits <= (set() if disk == "native" else legal)
    else:
        assert done <= totals["dma_unmaps"] <= totals["dma_maps"] <= done + under_way
    if mode.startswith("viommu"):
        assert totals["exits.viommu"] <= totals["dma_maps"] + totals["dma_unmaps"]
    assert totals.get("interrupts", 0) <= done + under_way
