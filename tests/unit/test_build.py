"""Building: names become numbers, parts that make no sense are refused by name."""

import pytest

from tests.systems import DISKS, scaled, scenario, system
from virtperf.assembly import Assembly
from virtperf.build import build, sources
from virtperf.dist import Deterministic, Exponential
from virtperf.errors import ParameterError
from virtperf.path import Bell, Ringing, Step, end, leave, lock, ring, serve, unlock, work
from virtperf.sim import run
from virtperf.sim.engine import Machine
from virtperf.tables import NONE, Kind


def parts() -> Assembly:
    """Return two threads, a device, a lock and two doorbells."""
    assembly = Assembly("parts", pcpus=2)
    assembly.station("device", 1)
    assembly.lock("big", called="big lock", wake_ns=0.0)
    for name in ("a", "b"):
        assembly.worker(name, name)
    told = Bell(name="told", to="b", rule="always", costs={})
    assembly.bell("tell b", told, to="b", sender="a")
    assembly.bell("device tells b", told, to="b", sender="")
    return assembly


def add(path, *, to: str = "a", **words) -> None:
    words = {"outstanding": 1} | words
    parts().source("jobs", {"job": (1.0, tuple(path))}, to=to, **words)


DEVICE = serve("device", Deterministic(5.0), "device")
A, B = work("a", 1.0, "a: work"), work("b", 1.0, "b: work")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ([A], "finished by an end step"),
        ([], "finished by an end step"),
        ([work("c", 1.0, "c: work"), end()], "worker must be one of a, b, got 'c'"),
        ([B, end()], "work on a, who holds it, got 'b'"),
        ([A, ring("tell b"), A, end()], "work on b, who holds it, got 'a'"),
        ([A, DEVICE, A, end()], "work on a worker"),
        (
            [serve("disk", Deterministic(5.0), "device"), end()],
            "station must be one of device, big",
        ),
        ([ring("bell"), B, end()], "bell must be one of tell b, device tells b"),
        ([lock("small"), A, unlock("small"), end()], "station must be one of"),
        ([lock("big"), A, end()], "handed on without locks, got 'big'"),
        ([lock("big"), DEVICE, end()], "handed on without locks"),
        ([lock("big"), ring("tell b"), unlock("big"), end()], "handed on without locks"),
        ([lock("big"), lock("big"), unlock("big"), end()], "lock taken twice"),
        ([leave("io", "user"), end()], "transitions without a CPU technique"),
    ],
)
def test_a_path_that_cannot_be_walked_is_refused(path, says):
    with pytest.raises(ParameterError, match=says):
        add(path)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"to": "c"}, "inbox must be one of a, b, got 'c'"),
        ({"outstanding": 0}, "jobs.outstanding must be at least 1, or a gap given, got 0"),
        ({"outstanding": -1}, "jobs.outstanding"),
        ({"outstanding": 2, "gap": Exponential(5.0)}, "jobs.outstanding"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(words, says):
    with pytest.raises(ParameterError, match=says):
        add([A, end()], **words)


def test_a_source_of_an_unknown_worker_is_refused():
    with pytest.raises(ParameterError, match="inbox must be one of a, b, got 'c'"):
        add([work("c", 1.0, "c: work"), end()], to="c")


def test_nobody_pays_for_a_doorbell_that_a_device_rings():
    costly = Bell(
        name="irq", to="b", rule="always", costs={"asleep": Ringing(sender=(work("b", 1.0, "x"),))}
    )
    with pytest.raises(ParameterError, match="free for the sender, which is no worker"):
        parts().bell("irq", costly, to="b", sender="")


def test_a_doorbell_needs_a_consumer():
    with pytest.raises(ParameterError, match="inbox must be one of"):
        parts().bell("x", Bell(name="x", to="c", rule="always", costs={}), to="c", sender="a")


@pytest.mark.parametrize("switch_ns", [3.0, 4.0])
def test_a_slice_no_longer_than_a_switch_is_refused(switch_ns):
    with pytest.raises(ParameterError, match=r"pool\.slice must be longer than a switch"):
        Assembly("pool", slice_ns=3.0, switch_ns=switch_ns)


def test_other_parts_that_make_no_sense_are_refused():
    with pytest.raises(ParameterError, match=r"disk\.servers must be at least 1, got 0"):
        parts().station("disk", 0)
    with pytest.raises(ParameterError, match="worker must be one of a, b"):
        parts().interrupt_level("c")
    with pytest.raises(ParameterError, match=r"empty\.sources must be at least one"):
        Assembly("empty").system()
    with pytest.raises(ParameterError, match="work of a fixed length"):
        parts().worker("c", "c", wake=(DEVICE,))
    with pytest.raises(ParameterError, match="station must be one of"):
        parts().worker("c", "c", lock="small")


def test_overhead_that_takes_no_time_and_counts_nothing_is_left_out():
    assembly = Assembly("free")
    assembly.worker("a", "a", wake=(work("a", 0.0, "x"), work("a", 2.0, "y")))
    assembly.source("jobs", {"job": (1.0, (A, end()))}, to="a", outstanding=1)
    built = assembly.system()
    wake = built.workers[0].wake
    assert [built.steps[i].ticks for i in range(*wake)] == [2000]


def test_steps_of_one_purpose_share_one_stream():
    cost = Exponential(5.0)
    path = [Step(kind="work", where="a", cost=cost, account="x", purpose="p") for _ in range(2)]
    assembly = parts()
    assembly.source("jobs", {"job": (1.0, (*path, end()))}, to="a", outstanding=1)
    built = assembly.system()
    assert len(built.draws) == 1
    assert [s.draw for s in built.steps if s.kind == Kind.WORK] == [0, 0]


@pytest.mark.parametrize("disk", DISKS)
def test_every_vm_gets_workers_doorbells_and_a_source_of_its_own(disk):
    """The driver domain is there once for all."""
    one, three = system(disk), system(disk, vms=3)
    for table in ("workers", "inboxes", "bells", "sources", "classes"):
        many, few = (
            [row for row in getattr(built, table) if not row.name.startswith("dom0.")]
            for built in (three, one)
        )
        assert len(many) == 3 * len(few) > 0
    assert sum(row.name == "ssd0" for row in three.stations) == 1
    assert three.accounts == one.accounts


def test_virtio_is_two_threads_three_doorbells_and_no_lock():
    built = system("virtio")
    assert [row.role for row in built.workers] == ["vcpu", "iothread"]
    assert [row.name.rsplit(".", 1)[1] for row in built.bells] == ["kick", "aio", "irq"]
    assert [row.name.rsplit(".", 1)[-1] for row in built.stations] == ["ssd0", "ring entries"]
    assert built.workers[0].interrupt != NONE


def test_a_platform_given_by_hand_replaces_the_named_one():
    plain, doubled = system("virtio"), system("virtio", numbers=scaled("toy", {"virtio_pop": 2}))
    moved = [(a.ticks, b.ticks) for a, b in zip(plain.steps, doubled.steps, strict=True) if a != b]
    assert moved == [(1_000_000, 2_000_000)]


@pytest.mark.parametrize("disk", DISKS)
def test_the_numbers_a_system_was_built_from_are_on_record(disk):
    used = sources(scenario(disk))
    assert {"native_user", "native_kernel", "slice", "device.ssd0.channels"} <= used.keys()
    assert ("exit_hardware" in used) == (disk != "native")
    assert ("virtio_pop" in used) == (disk in ("virtio", "virtio-main-loop"))
    assert all(quantity.source for quantity in used.values())


def test_building_twice_gives_the_same_tables():
    assert build(scenario("virtio", vms=2)) == build(scenario("virtio", vms=2))


@pytest.mark.parametrize("queues", [1, 2])
@pytest.mark.parametrize("disk", DISKS)
def test_vcpus_that_share_a_queue_are_told_by_interprocessor_interrupts(disk, queues, monkeypatch):
    """Four vCPUs, a job each; the first ones take the interrupts, of others and their own."""
    shared = scenario(disk, outstanding=2).with_all({"vm.vcpus": 4, "vm.load.jobs": 4})
    if disk in ("emulated-ide", "emulated-ahci"):
        queues = 1  # they have no more
    else:
        shared = shared.with_("vm.disk.queues", queues)
    built, others = build(shared), 0
    finish = Machine.finish

    def count(self, request, step):
        nonlocal others
        others += request.source >= queues and not request.row.side
        finish(self, request, step)

    monkeypatch.setattr(Machine, "finish", count)
    last = run(built, seed=1, replication=0, requests=400).snapshots[-1]
    sent = last.counters[built.counters.index("ipis")]
    assert 0 <= sent - others <= 8  # those under way at the end
