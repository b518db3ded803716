"""Direct access in a scenario file: what is refused, with which reason, and what goes."""

from copy import deepcopy
from typing import Any

import pytest

from virtperf.build import build
from virtperf.errors import ParameterError, ScenarioError
from virtperf.scenario import Scenario

DEVICE = {"channels": 4, "service": {"kind": "deterministic", "value": "20us"}}


def tables(*vms: dict[str, Any], **devices: dict[str, Any]) -> dict[str, Any]:
    """Return VMs on devices; each table of a VM goes over one of a lone guest on ``d``."""
    made = []
    for number, words in enumerate(vms):
        words = dict(words)
        vm: dict[str, Any] = {
            "name": f"v{number}",
            "cpu": {"technique": "hardware"},
            "load": {"kind": "closed"},
        }
        disk = {"technique": "passthrough", "device": "d"} | words.pop("disk", {})
        if disk["technique"] == "native":
            vm["cpu"] = {"technique": "direct"}
        made.append(vm | {"disk": disk} | words)
    names = {"d": {}} | devices
    return {
        "platform": "x86-kvm-2020",
        "vm": made,
        "device": {name: deepcopy(DEVICE) | words for name, words in names.items()},
    }


def problems(data: dict[str, Any]) -> tuple[str, ...]:
    try:
        Scenario.from_dict(data)
    except ScenarioError as error:
        return tuple(error.problems)
    return ()


VF = {"disk": {"technique": "sriov"}}
MISTAKES = [
    (
        tables({}, {}),
        "vm[1].disk.device must not be d, for vm[0] has d: a device has one owner",
    ),
    (
        tables({}, {"disk": {"technique": "virtio"}}),
        "vm[1].disk.device must not be d, for vm[0] has d: a device has one owner",
    ),
    (
        tables({"disk": {"technique": "virtio"}}, {}),
        "vm[1].disk.device must not be d, for the host has d: a device has one owner",
    ),
    (
        tables({"count": 2}),
        "vm[0].count must be 1 with disk.technique passthrough, got 2: a device has one owner, "
        "and sriov is what shares it",
    ),
    (
        tables({}, {"disk": {"device": "e"}}, d={"group": "7"}, e={"group": "7"}),
        "vm[1].disk.device must not be e, for vm[0] has d: the group of e and d goes to one owner "
        "as a whole",
    ),
    (
        tables(VF | {"count": 3}, d={"vfs": 2}),
        "device.d.vfs must be at least 3, as many as VMs with sriov, got 2",
    ),
    (tables(VF), "device.d.vfs must be given: 1 virtual functions of it are asked for"),
    (
        tables(deepcopy(VF), {}, d={"vfs": 2}),
        "vm[0].disk.device must not be d: it is passed through as a whole, and the physical "
        "function that makes virtual ones is gone with it",
    ),
    (
        tables(
            {"vcpus": 4, "disk": {"technique": "sriov", "queues": 4}}, d={"vfs": 2, "vf_queues": 2}
        ),
        "vm[0].disk.queues must be at most device.d.vf_queues (2), got 4",
    ),
    (
        tables({"disk": {"iommu": "none"}}),
        "vm[0].disk.iommu must not be none under passthrough with guest unmodified: its driver "
        "gives the device guest-physical addresses, which without an IOMMU are taken for the "
        "machine's, so that DMA ends in somebody else's memory",
    ),
    (
        tables({"disk": {"iommu": "strict"}}),
        "vm[0].disk.iommu must be one of none, static, viommu-strict, viommu-deferred under "
        "passthrough, got 'strict': only an IOMMU that it sees takes a guest's own maps",
    ),
    (
        tables({"disk": {"technique": "native", "iommu": "viommu-strict"}}),
        "vm[0].disk.iommu must be one of none, static, strict, deferred under native, got "
        "'viommu-strict': there is no guest",
    ),
    (
        tables({"disk": {"technique": "virtio", "iommu": "strict"}}),
        "vm[0].disk.iommu must be left out under virtio: the host's own driver does its DMA",
    ),
    (
        tables({"disk": {"technique": "virtio", "posted": True}}),
        "vm[0].disk.posted must be left out unless disk.technique is passthrough or sriov",
    ),
    (
        tables({"disk": {"vf_bandwidth": "1GiB/s"}}),
        "vm[0].disk.vf_bandwidth must be left out unless disk.technique is sriov",
    ),
    (
        tables({"disk": {"technique": "virtio", "buffers": "1MiB"}}),
        "vm[0].disk.buffers must be left out unless disk.technique is native or passthrough or "
        "sriov",
    ),
    (
        tables({"cpu": {"technique": "direct"}}),
        "vm[0] cannot combine cpu direct, disk passthrough, guest unmodified: there is no "
        "hypervisor under direct execution that could give a device away: native is what it has",
    ),
    (
        tables(
            {
                "guest": "ported",
                "cpu": {"technique": "paravirtual"},
                "disk": {"iommu": "viommu-strict"},
            }
        ),
        "vm[0].disk.iommu must not be viommu-strict with cpu paravirtual: its guest knows machine "
        "addresses, and the hypervisor maps by the types of pages; no IOMMU is emulated for it",
    ),
    (
        tables({"guest": "ported", "disk": {"iommu": "none"}}),
        "vm[0].disk.iommu must not be none under passthrough with cpu hardware, even ported: its "
        "driver gives the device guest-physical addresses, which without an IOMMU are taken for "
        "the machine's, so that DMA ends in somebody else's memory",
    ),
    (
        tables({"guest": "ported", "cpu": {"technique": "paravirtual"}, "disk": {"posted": True}}),
        "vm[0].disk.posted must be false or left out under cpu paravirtual: its interrupts come "
        "from the hypervisor, in software",
    ),
]


@pytest.mark.parametrize(("data", "says"), MISTAKES, ids=[says for _, says in MISTAKES])
def test_a_mistake_is_answered_with_one_sentence_and_its_reason(data, says):
    assert problems(data) == (says,)


def test_all_problems_of_a_file_come_at_once():
    found = problems(
        tables({"disk": {"iommu": "none"}}, {"disk": {"posted": 7}}, VF | {"count": 3})
    )
    assert len(found) >= 4


@pytest.mark.parametrize(
    "data",
    [
        tables({}),
        tables({}, {"disk": {"device": "e"}}, e={}),
        tables({}, {"disk": {"device": "e"}}, d={"group": "7"}, e={"group": "8"}),
        tables({"count": 2, "disk": {"technique": "sriov"}}, d={"vfs": 2}),
        tables(
            {"count": 2, "disk": {"technique": "sriov"}},
            {"disk": {"technique": "virtio"}},
            d={"vfs": 2},
        ),
        tables({"guest": "ported", "cpu": {"technique": "paravirtual"}, "disk": {"iommu": "none"}}),
        tables({"guest": "ported", "cpu": {"technique": "hardware"}}),
        tables({"disk": {"technique": "native", "iommu": "strict"}}),
    ],
    ids=str,
)
def test_what_can_be_is_built(data):
    assert build(Scenario.from_dict(data)).sources


def test_changing_the_technique_takes_out_what_the_new_one_does_not_know():
    given = {"iommu": "viommu-strict", "posted": False, "buffers": "1MiB"}
    scenario = Scenario.from_dict(tables({"disk": given}))
    assert scenario.with_("vm.disk", "virtio").vm[0].disk.model_fields_set == {
        "technique",
        "device",
    }
    native = scenario.with_("vm.disk", "native").vm[0]
    assert (native.disk.iommu, native.disk.posted, native.cpu.technique) == (None, None, "direct")
    assert native.disk.buffers == 2**20


def test_a_function_has_no_more_queues_than_the_device_gives_it():
    words = {"vcpus": 4, "disk": {"technique": "sriov"}}
    one, two = (
        build(Scenario.from_dict(tables(deepcopy(words), d={"vfs": 1, "vf_queues": n})))
        for n in (1, 2)
    )
    assert [sum(b.name.endswith(".irq") for b in s.bells) for s in (one, two)] == [1, 2]


def test_iommus_are_stations_that_their_devices_share():
    devices = {"d": {"iommu": "left"}, "e": {"iommu": "left"}, "f": {"iommu": "right"}}
    vms = [{"disk": {"device": name}} for name in devices]
    names = [s.name for s in build(Scenario.from_dict(tables(*vms, **devices))).stations]
    assert [name for name in names if "invalidations" in name] == [
        "left invalidations",
        "right invalidations",
    ]
    plain = build(Scenario.from_dict(tables({"disk": {"technique": "virtio"}})))
    assert not any("iommu" in station.name for station in plain.stations)


def test_posting_on_a_platform_that_cannot_is_refused_when_it_is_built():
    data = tables({"disk": {"posted": True}}) | {"platform": "zen1-kvm-guest"}
    with pytest.raises(ParameterError, match="posted must be false or left out on zen1-kvm-guest"):
        build(Scenario.from_dict(data))


def test_a_ported_guests_interrupts_are_the_hypervisors_and_then_events():
    ported = {"guest": "ported", "cpu": {"technique": "paravirtual"}}
    built = build(Scenario.from_dict(tables(ported)))
    told = [built.steps[slice(*bell.debt[3])] for bell in built.bells]
    assert [built.accounts[step.account] for step in told[0]] == [
        "vcpu: hypercall interrupt",
        "host: interrupt of a device",
        "vcpu: reflected event",
    ]
