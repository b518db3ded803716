"""Scenario files about networks: what is read, and what is refused with a reason."""

import pytest

from tests.nets import NICS, data
from virtperf.errors import ScenarioError
from virtperf.scenario import Scenario
from virtperf.technique import matrix

STREAM = {"kind": "stream"}
PACKETS = {"kind": "packets"}


def problems(tables: dict) -> list[str]:
    with pytest.raises(ScenarioError) as error:
        Scenario.from_dict(tables)
    return error.value.problems


@pytest.mark.parametrize(
    ("technique", "load", "words", "says"),
    [
        ("vhost-net", STREAM | {"segment": "64KiB"}, {"nic": {"tso": False}}, "load.segment must"),
        (
            "vhost-net",
            STREAM | {"segment": "64KiB", "direction": "in"},
            {"nic": {"gro": False}},
            "no segmentation offload is negotiated (nic.gro)",
        ),
        (
            "vhost-net",
            {"kind": "rr", "reply": 1449},
            {"nic": {"tso": False}},
            "must be at most 1448",
        ),
        ("native", PACKETS | {"size": 1473}, {}, "a datagram is not cut into packets"),
        ("native", PACKETS | {"size": 973}, {"nic": {"mtu": 1000}}, "must be at most 972"),
        ("native", STREAM | {"segment": "65KiB"}, {}, "must be at most 65536"),
        ("vhost-net", STREAM, {"nic": {"ring": 1000}}, "a power of 2, at most 32768"),
        ("virtio-net", STREAM, {"nic": {"ring": 65536}}, "a power of 2, at most 32768"),
        ("emulated-e1000", STREAM, {"nic": {"ring": 100}}, "a multiple of 8 from 80 to 4096"),
        ("emulated-e1000", STREAM, {"nic": {"queues": 2}, "vcpus": 2}, "queues must be 1"),
        ("vhost-net", STREAM, {"nic": {"queues": 2}}, "queues must be at most vcpus (1)"),
        ("virtio-net", STREAM, {"nic": {"poll": "10us"}}, "left out unless nic.technique is vhost"),
        ("passthrough", STREAM, {"count": 2}, "a NIC has one owner"),
        ("sriov", STREAM, {"count": 9, "physical": {"vfs": 8}}, "vfs must be at least 9"),
        ("passthrough", STREAM, {"nic": {"iommu": "none"}}, "DMA ends in somebody else's memory"),
        ("vhost-net", STREAM, {"nic": {"iommu": "static"}}, "the host's own driver does its DMA"),
        (
            "native",
            STREAM,
            {"nic": {"iommu": "viommu-strict"}},
            "iommu must be one of none, static",
        ),
        ("native", STREAM, {"nic": {"device": "eth1"}}, "nic.device must be one of eth0"),
        ("native", STREAM, {"physical": {"cpus": [4]}}, "cpus must be below host.pcpus (4), got 4"),
        (
            "native",
            STREAM,
            {"physical": {"moderation": {"timer": "1us"}, "adaptive": {}}},
            "adaptive must be left out where moderation is given",
        ),
        ("native", {"kind": "closed"}, {}, "nic must be left out unless load.kind is rr, server"),
        ("native", {"kind": "pakets"}, {}, "did you mean packets?"),
        ("vhost-ne", STREAM, {}, "did you mean vhost-net?"),
    ],
)
def test_what_cannot_be_is_refused(technique, load, words, says):
    tables = data("native" if technique == "vhost-ne" else technique, load, **words)
    tables["vm"][0]["nic"]["technique"] = technique
    assert any(says in problem for problem in problems(tables)), problems(tables)


def test_all_that_is_wrong_is_said_at_once():
    tables = data("vhost-net", STREAM | {"window": 0}, nic={"ring": 3, "mtu": 10})
    told = problems(tables)
    assert len(told) == 3
    assert any("window must be at least 1" in one for one in told)


def test_a_load_of_the_network_needs_an_interface_and_no_disk():
    tables = data()
    tables["vm"][0]["disk"] = tables["vm"][0].pop("nic") | {"technique": "native"}
    told = problems(tables)
    assert "vm[0].disk must be left out where load.kind is rr, or have a load of its own" in told
    assert "vm[0].nic must be given where load.kind is rr" in told


def test_two_vms_cannot_have_the_same_nic_if_one_has_it_as_a_whole():
    tables = data("passthrough")
    tables["vm"].append(tables["vm"][0] | {"name": "other"})
    tables["vm"][1]["nic"] = {"technique": "vhost-net", "device": "eth0"}
    assert any("vm[0] has it as a whole" in problem for problem in problems(tables))


def test_a_technique_takes_along_what_hangs_on_it():
    scenario = Scenario.from_dict(data("vhost-net", nic={"poll": "10us", "suppress": False}))
    native = scenario.with_("vm.nic", "native")
    assert native.vm[0].cpu.technique == "direct"
    assert native.vm[0].nic.poll is None
    assert native.with_("vm.nic.technique", "virtio-net").vm[0].nic.suppress


@pytest.mark.parametrize("technique", NICS)
def test_a_scenario_survives_being_written(technique):
    scenario = Scenario.from_dict(data(technique, STREAM | {"rtt": "10us"}), name="one")
    assert Scenario.from_dict(scenario.to_dict(), name="one") == scenario
    assert "rate" in scenario.to_toml()


@pytest.mark.parametrize("technique", NICS)
def test_every_technique_has_a_title_and_goes_with_its_default_cpu(technique):
    assert matrix.title("nic", technique)
    cpu = matrix.default_cpu(technique, "nic")
    assert matrix.why_forbidden(cpu, "unmodified", nic=technique) is None


def test_a_guest_cannot_drive_the_hosts_nic():
    tables = data("native")
    tables["vm"][0]["cpu"]["technique"] = "hardware"
    assert any("cannot drive the host's NIC" in problem for problem in problems(tables))


def test_a_process_polls_the_queue_of_its_own_vcpu_and_nobody_else_polls_for_it():
    tables = data("vhost-net", nic={"busy_poll": "50us", "queues": 1})
    tables["vm"][0] |= {"vcpus": 2, "guest_poll": {"max": "100us"}}
    told = problems(tables)
    assert any("busy_poll must be left out with 1 queues of 2 vcpus" in one for one in told)
    assert any("guest_poll must be left out where nic.busy_poll is given" in one for one in told)
    tables = data("vhost-net", STREAM, nic={"busy_poll": "50us"})
    assert any("where load.direction is out" in one for one in problems(tables))
    tables = data("sriov", nic={"busy_poll": "50us"})
    assert any("nic.busy_poll must be left out unless" in one for one in problems(tables))
