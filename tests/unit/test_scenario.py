"""Scenario files: what they may say, how their mistakes are answered, how they vary."""

import json
import pickle
import tomllib
from copy import deepcopy

import jsonschema
import pytest

from virtperf import catalog
from virtperf.dist import Deterministic, Empirical, Exponential, Gamma, Mmpp
from virtperf.errors import ScenarioError, UnknownNameError
from virtperf.scenario import Scenario
from virtperf.technique import matrix

TEXT = """
platform = "toy"

[host]
pcpus = 4
slice = "3ms"

[[vm]]
name = "web"
count = 8
cpu = { technique = "hardware" }
disk = { technique = "virtio", device = "ssd0", poll = "32us" }
load = { kind = "closed", outstanding = 32, mix = { read = 3, write = 1 }, think = "5us" }

[[vm]]
name = "log"
cpu = { technique = "hardware" }
disk = { technique = "emulated-nvme", device = "ssd0" }
load = { kind = "open", rate = "20000/s", size = "16KiB", cpu_user = "1us" }

[device.ssd0]
service = { kind = "exponential", mean = "26us" }
service_scale = { low = 0.5 }
[device.ssd0.channels]
value = 8
low = 4
high = 32
unit = "1"
evidence = "assumed"
checked = "own"
source = "a round number"

[run]
requests = 2000
"""
SCENARIOS = catalog.names("scenarios")
BURSTS = {"kind": "mmpp", "rates": ["1000/s", "20000/s"], "sojourns": ["10ms", "2ms"]}
ARRIVALS = [
    ("poisson", 40, Exponential(50_000)),
    ("deterministic", 40, Deterministic(50_000)),
    ({"kind": "deterministic"}, 40, Deterministic(50_000)),
    ({"kind": "gamma", "cv": 2}, 40, Gamma(50_000, 2)),
    (BURSTS, None, Mmpp((500, 10_000), (1e7, 2e6))),
    ({"kind": "empirical", "values": ["2us", "1us"]}, None, Empirical((2e3, 4e3), (1, 1))),
]


def tables(**changes):
    """Return the tables of TEXT; ``vm0_disk={...}`` updates the table vm[0].disk."""
    data = tomllib.loads(TEXT)
    for where, change in changes.items():
        node = data
        for part in where.split("_"):
            node = node["vm"][int(part[2:])] if part[:2] == "vm" else node.setdefault(part, {})
        node.update(change)
    return data


def problems(data):
    with pytest.raises(ScenarioError) as caught:
        Scenario.from_dict(data, name="mine")
    return caught.value.problems


@pytest.fixture
def scenario():
    return Scenario.from_dict(tables(), name="mine")


def test_durations_are_in_ns_and_sizes_in_bytes(scenario):
    web, log = scenario.vm
    assert scenario.host.slice_ns == 3e6
    assert web.disk.poll_ns == 32e3
    assert web.load.think.mean == 5e3
    assert (web.load.size_bytes, log.load.size_bytes) == (4096, 16384)
    assert log.load.rate == 20_000
    assert log.load.cpu_user.ns() == 1_000
    assert scenario.device["ssd0"].service_of("write").mean == 26_000


def test_what_a_file_leaves_out_is_left_to_the_platform(scenario):
    log = scenario.vm[1]
    assert log.disk.poll_ns is None
    assert log.load.cpu_kernel is None
    assert (log.count, log.vcpus, log.guest) == (1, 1, "unmodified")
    assert (scenario.run.replications, scenario.run.seed) == (10, 1)


def test_the_weights_of_a_mix_become_shares(scenario):
    assert scenario.vm[0].load.shares == {"read": 0.75, "write": 0.25}


def test_a_scenario_is_frozen(scenario):
    with pytest.raises(ValueError, match="frozen"):
        scenario.platform = "other"


def test_a_scenario_crosses_a_process_pool(scenario):
    copy = pickle.loads(pickle.dumps(scenario))
    assert copy == scenario
    assert copy.name == "mine"


def test_toml_and_back_is_the_same_scenario(scenario):
    assert Scenario.from_dict(tomllib.loads(scenario.to_toml()), name="mine") == scenario


@pytest.mark.parametrize("name", SCENARIOS)
def test_shipped_scenario_loads_and_survives_its_own_toml(name):
    shipped = Scenario.load(name)
    assert shipped.name == name
    assert shipped.title
    assert Scenario.from_dict(tomllib.loads(shipped.to_toml()), name=name) == shipped


@pytest.mark.parametrize("name", SCENARIOS)
def test_shipped_scenario_satisfies_the_json_schema(name):
    data = tomllib.loads(catalog.path("scenarios", name).read_text(encoding="utf-8"))
    jsonschema.validate(data, Scenario.json_schema())


def test_the_json_schema_names_the_techniques():
    technique = Scenario.json_schema()["$defs"]["Disk"]["properties"]["technique"]
    assert tuple(technique["enum"]) == matrix.disk_techniques()


@pytest.mark.parametrize(("arrivals", "rate", "gap"), ARRIVALS, ids=str)
def test_two_jobs_each_have_half_of_the_rate(arrivals, rate, gap):
    """Bursts and what was seen have a rate of their own; the states last as long as ever."""
    load = {"rate": rate and f"{rate}000/s", "arrivals": arrivals, "jobs": 2}
    data = tables(vm1_load={key: value for key, value in load.items() if value is not None})
    if rate is None:
        del data["vm"][1]["load"]["rate"]
    scenario = Scenario.from_dict(data)
    jsonschema.validate(data, Scenario.json_schema())
    assert scenario.vm[1].load.gap() == gap
    assert Scenario.from_dict(tomllib.loads(scenario.to_toml())) == scenario


def test_the_json_schema_knows_a_trace():
    data = tables()
    data["vm"][1]["load"] = {"kind": "trace", "file": "arrivals.csv", "speed": 2}
    jsonschema.validate(data, Scenario.json_schema())
    data["vm"][1]["load"]["rate"] = 5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, Scenario.json_schema())


BARE = {"cpu": {"technique": "direct"}, "disk": {"technique": "native", "device": "ssd0"}}
# One mistake, one sentence.
MISTAKES = [
    ({"vm0": {"dsk": 1}}, "vm[0].dsk is not a field of vm; did you mean disk?"),
    (
        {"vm0_load": {"outstandng": 1}},
        "vm[0].load.outstandng is not a field of closed load; did you mean outstanding?",
    ),
    ({"hots": {"pcpus": 1}}, "hots is not a field of a scenario; did you mean host?"),
    (
        {"device_ssd0": {"chanels": 1}},
        "device.ssd0.chanels is not a field of device; did you mean channels?",
    ),
    (
        {"vm1_disk": {"technique": "virtoi"}},
        f"vm[1].disk.technique must be one of {', '.join(matrix.disk_techniques())}, "
        "got 'virtoi'; did you mean virtio?",
    ),
    ({"host": {"pcpus": 0}}, "host.pcpus must be at least 1, got 0"),
    ({"host": {"pcpus": 1025}}, "host.pcpus must be at most 1024, got 1025"),
    (
        {"host": {"policy": "fair"}},
        "host.policy must be one of round-robin, pinned, cfs, credit, credit2, eevdf, gang, "
        "relaxed-gang, got 'fair'",
    ),
    ({"vm0": {"count": 1.5}}, "vm[0].count must be a whole number, got 1.5"),
    ({"vm0": {"count": True}}, "vm[0].count must be a whole number, got True"),
    ({"vm0": {"name": "Web 1"}}, "vm[0].name must consist of a-z, 0-9 and -, got 'Web 1'"),
    (
        {"vm1": {"name": "web"}},
        "vm[1].name must be unique, got 'web', which is also vm[0]",
    ),
    ({"vm0": {"halt_poll": {}}}, "vm[0].halt_poll.max must be given"),
    ({"vm0": {"halt_poll": {"max": 0}}}, "vm[0].halt_poll.max must be above 0, got 0"),
    ({"vm0": {"halt_poll": {"max": -1}}}, "vm[0].halt_poll.max must be at least 0, got -1"),
    (
        {"vm0": {"halt_poll": {"max": "50us", "start": "60us"}}},
        "vm[0].halt_poll.start must be at most max (50000 ns), got 60000 ns",
    ),
    (
        {"vm0": {"guest_poll": {"max": "40us"}}},
        "vm[0].guest_poll.start must be at most max (40000 ns), got 50000 ns",
    ),
    (
        {"vm0": {"halt_poll": {"max": "50us", "grow": 0}}},
        "vm[0].halt_poll.grow must be at least 1, got 0",
    ),
    (
        {"vm0": {"halt_poll": {"max": "50us", "shrink": -1}}},
        "vm[0].halt_poll.shrink must be at least 0, got -1",
    ),
    (
        {"vm0": {"halt_poll": {"max": "50us"}, "guest_poll": {"max": "50us"}}},
        "vm[0].halt_poll must be left out where guest_poll is given: "
        "a guest that polls tells its hypervisor not to",
    ),
    (
        {"vm1": {"halt_poll": {"max": "50us"}, **BARE}},
        "vm[1].halt_poll must be left out: under direct there is no host to exit to",
    ),
    (
        {"vm1": {"guest_poll": {"max": "50us"}, **BARE}},
        "vm[1].guest_poll must be left out: under direct there is no host to exit to",
    ),
    ({"vm0_load": {"size": "4 us"}}, "vm[0].load.size must be a size such as 4KiB, got '4 us'"),
    ({"vm0_load": {"size": "-4KiB"}}, "vm[0].load.size must be a size such as 4KiB, got '-4KiB'"),
    ({"vm0_load": {"size": -4096}}, "vm[0].load.size must be at least 0, got -4096"),
    (
        {"vm0_load": {"think": "1 parsec"}},
        "vm[0].load.think must be a duration such as 10us, got '1 parsec'",
    ),
    ({"vm1_load": {"rate": 0}}, "vm[1].load.rate must be above 0, got 0"),
    (
        {"vm1_load": {"arrivals": "posson"}},
        "vm[1].load.arrivals.kind must be one of poisson, deterministic, gamma, "
        "lognormal, mmpp, empirical, "
        "got 'posson'; did you mean poisson?",
    ),
    ({"vm1_load": {"arrivals": 5}}, "vm[1].load.arrivals must be a table, got 5"),
    ({"vm1_load": {"arrivals": {"cv": 2}}}, "vm[1].load.arrivals.kind must be given"),
    (
        {"vm1_load": {"arrivals": {"kind": "gamma", "cv": 2, "cvs": 1}}},
        "vm[1].load.arrivals.cvs is not a field of gamma arrivals; did you mean cv?",
    ),
    (
        {"vm1_load": {"arrivals": {"kind": "gamma", "cv": 0}}},
        "vm[1].load.arrivals.cv must be above 0, got 0",
    ),
    (
        {"vm1_load": {"arrivals": {"kind": "gamma", "cv": float("inf")}}},
        "vm[1].load.arrivals.cv must be a finite number, got inf",
    ),
    (
        {"vm1_load": {"arrivals": BURSTS}},
        "vm[1].load.rate must be left out where arrivals.rates say it, got '20000/s'",
    ),
    (
        {"vm1_load": {"rate": None, "arrivals": BURSTS | {"rates": ["1000/s", "5 us"]}}},
        "vm[1].load.arrivals.rates[1] must be a rate such as 20000/s, got '5 us'",
    ),
    (
        {"vm1_load": {"rate": None, "arrivals": BURSTS | {"rates": ["1000/s"]}}},
        "vm[1].load.arrivals.sojourns must be as many as rates (1), got 2",
    ),
    (
        {"vm1_load": {"rate": None, "arrivals": BURSTS | {"rates": [0, 0]}}},
        "vm[1].load.arrivals.rates must be above 0 in some state, got (0.0, 0.0)",
    ),
    (
        {"vm1_load": {"rate": None, "arrivals": {"kind": "empirical", "values": ["0us"]}}},
        "vm[1].load.arrivals.values must be above 0 for some, got [0.0]",
    ),
    ({"vm1_load": {"rate": None}}, "vm[1].load.rate must be given"),
    (
        {"device_ssd0": {"service": {"kind": "cycle", "values": [1]}}},
        "device.ssd0.service.kind must be one of deterministic, exponential, lognormal, gamma, "
        "empirical, rotating, got 'cycle'",
    ),
    (
        {"vm0_load": {"mix": {"raed": 1}}},
        "vm[0].load.mix.raed must be one of read, write, got 'raed'; did you mean read?",
    ),
    ({"vm0_load": {"mix": {"read": 0}}}, "vm[0].load.mix.read must be above 0, got 0"),
    (
        {"vm0_load": {"kind": "clsoed"}},
        "vm[0].load.kind must be one of closed, open, trace, work, rr, server, stream, packets, "
        "got 'clsoed'; did you mean closed?",
    ),
    (
        {
            "vm0_load": {
                "cpu_user": {"value": 1, "unit": "us", "evidence": "assumed", "checked": "own"}
            }
        },
        "vm[0].load.cpu_user.source must be given",
    ),
    (
        {"vm0_disk": {"device": "ssd1"}},
        "vm[0].disk.device must be one of ssd0, got 'ssd1'; did you mean ssd0?",
    ),
    (
        {"vm1_disk": {"poll": "1us"}},
        "vm[1].disk.poll must be left out unless disk.technique is emulated-nvme-dbbuf or virtio",
    ),
    (
        {"vm0_disk": {"iothreads": 0}},
        "vm[0].disk.iothreads must be at least 1, got 0",
    ),
    (
        {"vm0_disk": {"iothreads": 2}},
        "vm[0].disk.iothreads must be at most the disk's queues (1), got 2",
    ),
    (
        {"vm1_disk": {"workers": 1}},
        "vm[1].disk.workers must be left out unless disk.technique is vhost-blk",
    ),
    (
        {"vm0_disk": {"technique": "vhost-blk", "poll": None, "workers": "two"}},
        "vm[0].disk.workers must be a whole number, at least 1, or \"per-queue\", got 'two'",
    ),
    (
        {"vm0_disk": {"technique": "vhost-blk", "poll": None, "workers": 2}},
        "vm[0].disk.workers must be at most the disk's queues (1), got 2",
    ),
    (
        {"device_ssd0": {"channels": 0}},
        "device.ssd0.channels must be a whole number from 1 to 65536, got 0",
    ),
    (
        {"device_ssd0": {"service": {"kind": "exponentil", "mean": 1}}},
        "device.ssd0.service.kind must be one of deterministic, exponential, lognormal, gamma, "
        "empirical, rotating, got 'exponentil'; did you mean exponential?",
    ),
    (
        {"device_ssd0": {"service": {"kind": "exponential", "mean": -1}}},
        "device.ssd0.service.mean must be a finite number of at least 0, got -1",
    ),
    (
        {"device_ssd0": {"service": {"read": {"kind": "exponential", "mean": 1}}}},
        "device.ssd0.service.write must be given, where the other direction is",
    ),
]


@pytest.mark.parametrize(("changes", "says"), MISTAKES, ids=[says for _, says in MISTAKES])
def test_a_mistake_is_answered_with_one_sentence(changes, says):
    assert problems(tables(**changes)) == (says,)


def test_a_forbidden_combination_is_refused_with_its_reason():
    (problem,) = problems(tables(vm0_cpu={"technique": "direct"}))
    reason = matrix.why_forbidden("direct", "unmodified", disk="virtio")
    assert problem == f"vm[0] cannot combine cpu direct, disk virtio, guest unmodified: {reason}"


def test_an_unknown_platform_is_answered_with_the_nearest():
    (problem,) = problems(tables() | {"platform": "tyo"})
    assert problem.startswith("platform must be one of ")
    assert problem.endswith("got 'tyo'; did you mean toy?")


def test_all_problems_of_a_file_come_at_once():
    data = deepcopy(tables())
    data["host"]["pcpus"] = 0
    data["vm"][0]["load"]["size"] = "4 us"
    data["vm"][1]["cpu"]["technique"] = "direct"
    del data["vm"][1]["load"]["rate"]
    assert len(problems(data)) == 4


def test_a_missing_table_is_named():
    data = tables()
    del data["vm"][1]["disk"]
    assert problems(data) == ("vm[1].disk must be given where load.kind is open",)


def test_a_scenario_without_vms_is_refused():
    assert problems(tables() | {"vm": []}) == ("vm must have at least 1 entry",)


def test_a_syntax_error_is_reported_with_its_line(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text('platform = "toy"\npcpus 4\n')
    with pytest.raises(ScenarioError, match=r"is not TOML: .*line 2"):
        Scenario.load(path)


def test_a_missing_file_and_an_unknown_name_are_told_apart(tmp_path):
    with pytest.raises(ScenarioError, match="cannot be read"):
        Scenario.load(tmp_path / "none.toml")
    with pytest.raises(UnknownNameError, match="did you mean first-light"):
        Scenario.load("first-ligth")


def test_a_platform_file_is_found_beside_the_scenario(tmp_path):
    source = catalog.path("platforms", "toy").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(source)
    path = tmp_path / "scenario.toml"
    path.write_text(TEXT.replace('"toy"', '"mine.toml"'))
    assert catalog.platform(Scenario.load(path).platform).name == "mine"


@pytest.mark.parametrize(
    ("address", "value", "read"),
    [
        ("vm.count", 3, lambda s: [vm.count for vm in s.vm] == [3, 3]),
        ("vm[1].count", 3, lambda s: [vm.count for vm in s.vm] == [8, 3]),
        ("vm[0].load.outstanding", 1, lambda s: s.vm[0].load.outstanding == 1),
        ("vm[0].disk.poll", "1us", lambda s: s.vm[0].disk.poll_ns == 1_000),
        ("host.pcpus", 2, lambda s: s.host.pcpus == 2),
        ("device.ssd0.channels", 1, lambda s: s.device["ssd0"].channels_quantity.value == 1),
        ("run.seed", 7, lambda s: s.run.seed == 7),
        ("vm[1].load.arrivals", "deterministic", lambda s: not s.vm[1].load.gap().scv),
        ("vm.disk", "emulated-ide", lambda s: s.vm[0].disk.technique == "emulated-ide"),
        ("vm.disk.technique", "virtio", lambda s: s.vm[1].disk.technique == "virtio"),
    ],
)
def test_an_address_names_a_field(scenario, address, value, read):
    changed = scenario.with_(address, value)
    assert read(changed)
    assert changed.name == scenario.name


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("vm.dsk", "vm.disk"),
        ("vm[7].count", "vm.count"),
        ("host.pcpu", "host.pcpus"),
        ("device.ssd1.channels", "device.ssd0.channels"),
    ],
)
def test_an_unknown_address_is_answered_with_near_ones(scenario, address, near):
    with pytest.raises(UnknownNameError, match=f"did you mean .*{near}"):
        scenario.with_(address, 1)


def test_the_burstiness_of_arrivals_has_an_address(scenario):
    bursty = scenario.with_("vm[1].load.arrivals", {"kind": "gamma", "cv": 2})
    assert bursty.with_("vm[1].load.arrivals.cv", 3).vm[1].load.gap() == Gamma(50_000, 3)


def test_a_changed_scenario_is_checked_again(scenario):
    with pytest.raises(ScenarioError, match=r"host\.pcpus must be at least 1"):
        scenario.with_("host.pcpus", 0)


def test_cpu_technique_and_poll_window_follow_the_disk_technique(scenario):
    native = scenario.with_("vm.disk", "native")
    assert {vm.cpu.technique for vm in native.vm} == {"direct"}
    assert native.vm[0].disk.poll_ns is None
    assert {vm.cpu.technique for vm in native.with_("vm.disk", "virtio").vm} == {"hardware"}


@pytest.mark.parametrize("table", ["halt_poll", "guest_poll"])
def test_polling_for_halts_goes_where_there_is_no_host(scenario, table):
    polled = scenario.with_(f"vm[0].{table}", {"max": "80us"})
    assert getattr(polled.vm[0], table).max == 80_000
    assert getattr(polled.with_(f"vm[0].{table}.max", "90us").vm[0], table).max == 90_000
    assert getattr(polled.with_("vm.disk", "native").vm[0], table) is None
    assert Scenario.from_dict(tomllib.loads(polled.to_toml())).canonical() == polled.canonical()


def test_a_cpu_technique_that_was_asked_for_stays(scenario):
    with pytest.raises(ScenarioError, match="cannot combine"):
        scenario.with_all({"vm.disk": "native", "vm.cpu": "hardware"})


def test_service_times_move_along_the_range_of_channels(scenario):
    band = scenario.channel_band()
    assert list(band) == ["device.ssd0.channels=4", "device.ssd0.channels=32"]
    means = [variant.device["ssd0"].service_of("read").mean for variant in band.values()]
    assert means == [13_000, 26_000]


def test_canonical_text_ignores_seed_length_and_prose_only(scenario):
    same = scenario.with_("run.seed", 9).with_("run.requests", 5).with_("title", "other")
    assert same.canonical() == scenario.canonical()
    assert scenario.with_("vm[1].count", 2).canonical() != scenario.canonical()
    assert json.loads(scenario.canonical())["vm"][0]["count"] == 8


def test_two_ways_to_write_a_duration_are_one_scenario():
    assert Scenario.from_dict(tables(host={"slice": "3000us"})).canonical() == (
        Scenario.from_dict(tables()).canonical()
    )


def test_a_change_keeps_what_both_techniques_know_and_says_what_is_left_out():
    scenario = Scenario.from_dict(tables(vm0={"vcpus": 2}))
    changed = scenario.with_all({"vm[0].disk": "vhost-blk", "vm[0].disk.queues": 2})
    assert changed.vm[0].disk.queues == 2
    assert changed.dropped == ('vm[0].disk.poll="32us"',)
    both = {"vm[0].disk.queues": 2, "vm[0].disk.iothreads": 2, "vm[0].disk": "emulated-ide"}
    changed = scenario.with_all(both)
    assert changed.dropped == (
        'vm[0].disk.poll="32us"',
        "vm[0].disk.queues=2",
        "vm[0].disk.iothreads=2",
    )
    assert changed.with_("vm.count", 1).dropped == ()


def test_a_cpu_technique_that_a_disk_takes_along_keeps_what_the_guest_is_compiled_for():
    data = tables(vm0={"cpu": {"technique": "hardware", "isa": "x86-64"}})
    native = Scenario.from_dict(data).with_("vm[0].disk", "native")
    assert (native.vm[0].cpu.technique, native.vm[0].cpu.isa) == ("direct", "x86-64")


@pytest.mark.parametrize(
    ("where", "field", "most"),
    [
        ("vm0", "count", 4096),
        ("vm0", "vcpus", 1024),
        ("host_dom0", "vcpus", 1024),
        ("vm0_load", "jobs", 32768),
        ("vm0_load", "outstanding", 65536),
    ],
)
def test_a_number_with_too_many_digits_is_refused_at_once(where, field, most):
    owner = {"vm0": "vm[0]", "host_dom0": "host.dom0", "vm0_load": "vm[0].load"}[where]
    says = f"{owner}.{field} must be at most {most}, got 1000000000"
    assert says in problems(tables(**{where: {field: 10**9}}))


def test_vms_that_are_possible_alone_may_be_too_many_together():
    told = problems(tables(vm0={"count": 4096, "vcpus": 1024}))
    assert "vm.count and vm.vcpus must make at most 16,384 vCPUs, got 4,194,305" in told
    told = problems(tables(vm0_load={"jobs": 32768, "outstanding": 65536}))
    assert any("must make at most 1,048,576 requests under way" in says for says in told)


@pytest.mark.parametrize(
    ("where", "change", "says"),
    [
        ("vm0_disk", {"poll": 1e30}, "vm[0].disk.poll must be at most 106 days, the longest run"),
        ("vm0_load", {"think": "1e9s"}, "vm[0].load.think must be at most 106 days"),
        ("vm1_load", {"rate": 1e-9}, "vm[1].load.rate must be at least one in 106 days"),
        ("vm0_load", {"size": 1e30}, "vm[0].load.size must be at most 16 EiB"),
        ("vm0_load", {"size": 1 << 29}, "vm[0].load.size must be at most 256 MiB, got 536870912"),
    ],
)
def test_what_no_run_can_hold_is_refused_in_its_owners_name(where, change, says):
    assert any(told.startswith(says) for told in problems(tables(**{where: change})))
