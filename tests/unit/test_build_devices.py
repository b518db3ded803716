"""A VM with several disks, or with disks and an interface: what they share, and what not."""

from copy import deepcopy
from typing import Any

import pytest

from tests.engines import both
from virtperf import fast
from virtperf.build import build
from virtperf.errors import ParameterError, ScenarioError
from virtperf.scenario import Scenario
from virtperf.units import TICKS_PER_NS

CLOSED = {"kind": "closed"}


def data(cpu: str = "hardware", **vm: Any) -> dict[str, Any]:
    """Return a VM of two vCPUs on a host that has room, with two devices and a NIC."""
    fixed = {"kind": "deterministic", "value": "50us"}
    machine = {"name": "a", "vcpus": 2, "cpu": {"technique": cpu}, **vm}
    return {
        "platform": "x86-kvm-2020",
        "host": {"pcpus": 8},
        "vm": [machine],
        "device": {name: {"channels": 1, "service": fixed, "vfs": 8} for name in ("d", "e")},
        "nic": {"eth": {"rate": "10Gbit/s", "cpus": [6, 7], "vfs": 8}},
    }


def disk(technique: str = "virtio", device: str = "d", **more: Any) -> dict[str, Any]:
    return {"technique": technique, "device": device, **more}


def of(**words: Any) -> Scenario:
    return Scenario.from_dict(data(**words))


def problems(tables: dict[str, Any]) -> str:
    with pytest.raises(ScenarioError) as error:
        Scenario.from_dict(tables)
    return "\n".join(error.value.problems)


def mean_ns(scenario: Scenario, group: str, requests: int = 400) -> float:
    """Return the mean latency of a group over a whole run."""
    system = build(scenario)
    last = fast.run(system, seed=1, replication=0, requests=requests).snapshots[-1]
    number = system.groups.index(group)
    return last.residence[number] / last.completed[number] / TICKS_PER_NS


def workers(scenario: Scenario) -> list[str]:
    return [worker.name for worker in build(scenario).workers]


# -- several disks ------------------------------------------------------------------------------


@pytest.mark.parametrize("technique", ["passthrough", "vhost-blk", "emulated-nvme-iothread"])
def test_disks_with_devices_threads_and_vcpus_of_their_own_do_not_see_each_other(technique):
    alone = of(disk=disk(technique, queues=1), load=CLOSED, vcpus=1)
    several = [disk(technique, device, queues=1, load=CLOSED) for device in ("d", "e")]
    together = of(disks=several)
    for number in (0, 1):
        assert mean_ns(together, f"disks[{number}] read") == mean_ns(alone, "read", 200)


def test_two_disks_on_a_device_with_one_channel_share_it():
    one = of(disk=disk("passthrough", queues=1), load=CLOSED | {"outstanding": 4})
    two = of(disks=[disk("sriov", load=CLOSED | {"outstanding": 4}) for _ in range(2)])
    ratio = mean_ns(two, "disks[0] read", 2_000) / mean_ns(one, "read", 2_000)
    assert ratio == pytest.approx(2, rel=0.01)  # 8 at the channel, not 4, at 50 us each


def test_each_disk_has_an_io_thread_of_its_own_unless_they_name_the_same():
    several = [disk(load=CLOSED), disk(load=CLOSED)]
    found = [name for name in workers(of(disks=several)) if "iothread" in name]
    assert found == ["a[0].disks[0].iothread", "a[0].disks[1].iothread"]
    shared = [one | {"iothread": "io0"} for one in several]
    assert [n for n in workers(of(disks=shared)) if "iothread" in n] == ["a[0].iothread.io0"]


def test_qemu_has_one_main_loop_and_one_big_lock_for_all_that_it_emulates():
    system = build(
        of(
            disk=disk("emulated-ide", load=CLOSED),
            disks=[disk("virtio-main-loop", "e", load=CLOSED)],
            nic={"technique": "virtio-net", "device": "eth"},
            load={"kind": "rr"},
        )
    )
    loops = [worker for worker in system.workers if worker.role == "main loop"]
    assert [loop.name for loop in loops] == ["a[0].main-loop"]
    assert [s.name for s in system.stations if "QEMU" in s.name] == ["a[0].big QEMU lock"]


def test_interrupts_of_disks_with_one_queue_go_to_the_vcpus_in_turn():
    several = [disk("vhost-blk", queues=1, load=CLOSED) for _ in range(3)]
    system = build(of(disks=several))
    taken = [b.name for b in system.bells if b.name.endswith(".irq")]
    assert taken == [f"a[0].vcpu{on}.disks[{n}].irq" for n, on in enumerate((0, 1, 0))]


def test_a_process_on_another_vcpu_than_its_queues_is_told_by_an_interrupt():
    """Jobs go to the vCPUs in turn, and the only disk's only queue is the first one's."""
    one = disk("vhost-blk", queues=1, load=CLOSED | {"jobs": 2})
    system = build(of(disks=[one, disk("vhost-blk", "e", queues=1, load=CLOSED)]))
    told = [b.name for b in system.bells if b.name.endswith("wake-up")]
    assert told == ["a[0].vcpu1.disks[0].wake-up", "a[0].vcpu0.disks[1].wake-up"]


# -- a disk and a network -----------------------------------------------------------------------


def test_a_disk_and_an_interface_have_loads_side_by_side():
    scenario = of(
        disk=disk(load=CLOSED),
        nic={"technique": "vhost-net", "device": "eth"},
        load={"kind": "rr", "think": "100us"},
    )
    run = fast.run(build(scenario), seed=1, replication=0, requests=1_000)
    assert build(scenario).groups == ("rr", "read")
    assert all(count > 100 for count in run.snapshots[-1].completed)


def test_a_server_that_reads_a_block_takes_as_long_as_the_server_and_the_read():
    """Natively nothing of either is asleep or polls, so that nothing else can differ."""
    words: dict[str, Any] = {"cpu": "direct", "vcpus": 1}
    nic = {"technique": "native", "device": "eth"}
    server = {"kind": "server", "think": "500us", "cpu_user": "10us"}
    free = {"cpu_user": "0us", "think": "500us"}
    read = of(**words, disk=disk("native"), load=CLOSED | free)
    both_ = of(**words, nic=nic, disk=disk("native"), load=server | {"block": "4KiB"})
    without = of(**words, nic=nic, load=server)
    parts = mean_ns(without, "server") + mean_ns(read, "read")
    assert mean_ns(both_, "server") == pytest.approx(parts, rel=1e-12)


def test_the_blocks_of_a_server_are_its_requests_and_no_load_of_their_own():
    scenario = Scenario.load("file-server")
    system = build(scenario)
    assert system.groups == ("server", "disks[0] write")
    last = fast.run(system, seed=1, replication=0, requests=2_000).snapshots[-1]
    number = [station.name for station in system.stations].index("data")
    served = last.busy[number] / TICKS_PER_NS / 80e3
    assert served == pytest.approx(last.completed[0], rel=0.05)  # 80 us for each, by chance


@pytest.mark.parametrize("block", ["virtio", "emulated-ide", "xen-blkfront", "sriov"])
def test_both_engines_say_the_same_of_a_server_and_its_disks(block):
    nic = "xen-netfront" if block == "xen-blkfront" else "vhost-net"
    scenario = Scenario.load("file-server").with_all(
        {"vm.disk": block, "vm.disks": block, "vm.nic": nic}
    )
    compiled, reference = both(build(scenario), requests=300)
    assert compiled == reference
    assert "error" not in compiled


# -- what is refused ----------------------------------------------------------------------------

NIC = {"technique": "vhost-net", "device": "eth"}


@pytest.mark.parametrize(
    ("vm", "says"),
    [
        ({"disks": [disk()]}, "vm[0].disks[0].load must be given: each of several disks"),
        ({"disks": []}, "vm[0].disks must have at least 1 entry"),
        ({"disk": disk()}, "vm[0].load must be given"),
        (
            {"disk": disk(load=CLOSED), "load": CLOSED},
            "vm[0].load must be no disk's where disk.load",
        ),
        ({"disk": disk(), "nic": NIC, "load": {"kind": "rr"}}, "disk must be left out where"),
        ({"disk": disk(), "nic": NIC, "load": CLOSED}, "vm[0].nic must be left out unless"),
        (
            {"nic": NIC, "load": {"kind": "server", "block": "4KiB"}},
            "vm[0].load.block must be left out where the VM has no disk",
        ),
        (
            {"nic": NIC, "disk": disk(load=CLOSED), "load": {"kind": "server", "block": "4KiB"}},
            "vm[0].disk.load must be left out: vm[0].load reads it",
        ),
        (
            {"disks": [disk(load=CLOSED | {"workload": "database"}) for _ in range(2)]},
            "vm[0].disks[1].load.workload must be left out: vm[0].disks[0].load computes",
        ),
        (
            {"disks": [disk("vhost-blk", iothread="x", load=CLOSED)]},
            "vm[0].disks[0].iothread must be left out unless disk.technique is",
        ),
        (
            {"disks": [disk(iothread="x", poll=f"{n}us", load=CLOSED) for n in (1, 2)]},
            "vm[0].disks[1].poll must be that of vm[0].disks[0], for they share the I/O thread x",
        ),
        (
            {"disks": [disk("emulated-ide", load=CLOSED)] * 3},
            "vm[0].disks[2].technique must be another than emulated-ide: an IDE controller has 2",
        ),
        (
            {"disks": [disk("passthrough", load=CLOSED)] * 2},
            "vm[0].disks[1].device must not be d: vm[0].disks[0] is all of it",
        ),
        (
            {"disk": disk("xen-blkfront"), "nic": NIC, "load": {"kind": "server", "block": "1KiB"}},
            "vm[0].nic.technique must be one of xen-blkfront, xen-netfront, passthrough, sriov",
        ),
        (
            {"disks": [disk(load=CLOSED), disk("native", load=CLOSED)]},
            "vm[0] cannot combine cpu hardware, disk native, guest unmodified",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(vm, says):
    assert says in problems(data(**vm))


# -- addresses ----------------------------------------------------------------------------------


def test_one_disk_or_all_of_them_are_changed_by_address():
    scenario = of(disks=[disk(load=CLOSED), disk(load=CLOSED)])
    both_ = scenario.with_("vm.disks", "vhost-blk").vm[0].disks
    assert [one.technique for one in both_ or ()] == ["vhost-blk", "vhost-blk"]
    second = scenario.with_("vm.disks[1]", "vhost-blk").vm[0].disks
    assert [one.technique for one in second or ()] == ["virtio", "vhost-blk"]
    deeper = scenario.with_("vm[0].disks[1].load.outstanding", 8).vm[0].on_disks
    assert [use.load.outstanding for use in deeper] == [1, 8]


def test_a_scenario_with_several_disks_is_written_and_read_again(tmp_path):
    scenario = Scenario.load("file-server")
    file = tmp_path / "again.toml"
    file.write_text(scenario.to_toml())
    assert Scenario.load(file).to_dict() == scenario.to_dict()


def test_traces_of_disks_are_found_beside_the_file(tmp_path):
    (tmp_path / "times.csv").write_text("time_us\n0\n10\n30\n")
    tables = data(disks=[disk(load={"kind": "trace", "file": "times.csv"})])
    file = tmp_path / "traced.toml"
    absolute = deepcopy(tables)
    absolute["vm"][0]["disks"][0]["load"]["file"] = str(tmp_path / "times.csv")
    file.write_text(Scenario.from_dict(absolute).to_toml().replace(f"{tmp_path}/", ""))
    scenario = Scenario.load(file)
    assert scenario.vm[0].on_disks[0].load.kind == "trace"
    assert str(tmp_path) not in scenario.canonical()


def test_a_disk_that_a_profile_gives_is_every_disk():
    scenario = Scenario.load("file-server").with_("vm", "full-software")
    assert set(scenario.vm[0].techniques) == {"emulated-ahci", "emulated-e1000"}


def test_a_time_that_only_building_finds_too_long_is_refused_in_its_vms_name():
    tables = data(disk=disk("virtio"), load=CLOSED | {"size": "256MiB"})
    tables["device"]["d"]["bandwidth"] = "1B/s"
    with pytest.raises(ParameterError, match=r"^a.times must be such that each lasts a time from"):
        build(Scenario.from_dict(tables))
