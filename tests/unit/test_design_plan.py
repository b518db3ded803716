import tomllib

import pytest

from virtperf.design import crossed, grid, listed, morris, points, saltelli, sobol, zipped
from virtperf.errors import ParameterError, ScenarioError


def read(text):
    return points(tomllib.loads(text))


def problems(text, **more):
    with pytest.raises(ScenarioError) as caught:
        points(tomllib.loads(text), **more)
    return caught.value.problems


def test_axes_in_step_make_one_point_per_level():
    assert zipped({"a": [1, 1, 2], "b": "x,y,x"}) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
    ]


def test_axes_in_step_of_unequal_length_are_refused():
    with pytest.raises(ParameterError, match=r"design\.zip must be .*, got 'a has 2, b has 1'"):
        zipped({"a": [1, 2], "b": [1]})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "at least one point"),
        ([{"a": 1}, {"b": 1}], r"points\[1\] must be of the same addresses as points\[0\] \(a\)"),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1}], r"points\[1\] must be given once, got 'a=1 b=2'"),
    ],
)
def test_points_that_make_no_design_are_refused(given, says):
    with pytest.raises(ParameterError, match=says):
        listed(given)


def test_an_address_that_two_designs_vary_is_refused():
    with pytest.raises(ParameterError, match=r"design\.a must be varied in one place"):
        crossed([{"a": 1}], [{"a": 2}])


def test_a_file_without_a_sample_is_a_grid_of_all_its_tables():
    found = read("""
        where = ["vm.count * vm.vcpus <= 8", "vm.disk != 'native' or host.pcpus == 4"]
        [vary]
        vm.count = "1..3"
        "vm.disk" = ["native", "virtio"]
        [zip]
        vm.vcpus = [1, 4]
        host.pcpus = [4, 8]
        [[points]]
        platform = "toy"
    """)

    everything = crossed(
        zipped({"vm.vcpus": [1, 4], "host.pcpus": [4, 8]}),
        [{"platform": "toy"}],
        grid({"vm.count": [1, 2, 3], "vm.disk": ["native", "virtio"]}),
    )
    assert found == [
        point
        for point in everything
        if point["vm.count"] * point["vm.vcpus"] <= 8
        and (point["vm.disk"] != "native" or point["host.pcpus"] == 4)
    ]
    assert 0 < len(found) < len(everything)


@pytest.mark.parametrize(
    ("sample", "design"),
    [
        ('method = "sobol"\nn = 8', lambda r: sobol(r, 8)),
        ('method = "saltelli"\nn = 4\nseed = 7', lambda r: saltelli(r, 4, 7)),
        ('method = "morris"\ntrajectories = 3\nlevels = 6', lambda r: morris(r, 3, 6)),
    ],
)
def test_a_sample_is_that_of_its_method(sample, design):
    text = f'[vary]\nvm.count = "1..8"\nvm.disk.poll = "0..50000"\n[sample]\n{sample}'
    assert read(text) == design({"vm.count": "1..8", "vm.disk.poll": "0..50000"})


def test_each_listed_point_gets_the_whole_sample():
    found = read("""
        [vary]
        vm.count = "1..8"
        [sample]
        method = "sobol"
        n = 4
        [[points]]
        vm.disk = "native"
        [[points]]
        vm.disk = "virtio"
    """)
    assert found == crossed(
        [{"vm.disk": "native"}, {"vm.disk": "virtio"}], sobol({"vm.count": "1..8"}, 4)
    )


def test_all_levels_are_asked_for():
    plan = {"vary": {"vm.disk": "all", "vm.count": [1]}}
    found = points(plan, every=lambda address: ["native", address])
    assert [point["vm.disk"] for point in found] == ["native", "vm.disk"]


def test_all_problems_are_told_at_once_each_with_its_field():
    found = problems("""
        were = "vm.count < 3"
        where = 3
        [vary]
        vm.count = "8..1"
        vm.vcpus = 4
        vm.disk.poll = "0.0..1.0"
        [zip]
        host.pcpus = [1, 2]
        host.smt = [true]
        [sample]
        method = "sobool"
    """)
    starts = (
        "no table of an experiment named 'were'; did you mean where",
        "zip.zip must be of as many levels",
        "vary.vm.count must be two finite numbers, the lower one first, got '8..1'",
        "vary.vm.vcpus must be a list of levels, or a range",
        "sample.method must be one of latin-hypercube, sobol, morris, saltelli, got 'sobool'",
        "experiment.where must be a condition",
    )
    assert len(found) == len(starts)
    for start in starts:
        assert any(problem.startswith(start) for problem in found), start


SOBOL = "[vary]\na = [1, 2]\n[sample]\nmethod = 'sobol'\n"
UNBALANCED = "a power of 2, such as 2 or 4, or the sequence is unbalanced"
CASES = {
    "": "experiment.design must be given one of the tables vary, zip, points, got []",
    "vary = 3": "experiment.vary must be a table of address to levels, got 3",
    "points = 3": "experiment.points must be a list of tables, [[points]], got 3",
    "points = [3]": "experiment.points must be tables of address to level, got 3",
    "[vary]\na = []": "vary.a must be given at least one level, got []",
    "[zip]\na = []": "zip.a must be a list of levels, or a range such as '1..8', got []",
    "[vary]\na = [1, 1]": "vary.a must be given each level once, got [1, 1]",
    "[vary]\na = '0.0..1.0'": "vary.a must be given up to 1,000 levels, such as 0.0..1.0/5, "
    "or sampled, got '0.0..1.0'",
    "[vary]\na = 'all'": "vary.a must be given its levels, got 'all'",
    "[vary]\na = [1]\n[zip]\na = [2]": "experiment.a must be varied in one place, got 'two'",
    "where = 'b > 1'\n[vary]\na = [1]": "where: no address named 'b'; did you mean a?",
    "where = 'a > 1'\n[vary]\na = [1]": "experiment.where must be met by at least one of the "
    "1 points, got 'a > 1'",
    "sample = 3\n[vary]\na = [1, 2]": "experiment.sample must be a table with method and n, got 3",
    SOBOL: "sample.n must be given, a whole number, got None",
    f"{SOBOL}n = 3": f"sample.n must be {UNBALANCED}, got 3",
    f"{SOBOL}n = 2.5": "sample.n must be a whole number, got 2.5",
    f"{SOBOL}n = 2\nseed = -1": "sample.seed must be at least 0, got -1",
    "[vary]\na = [1]\n[sample]\nmethod = 'sobol'\nn = 2": "vary.a must be given at least two "
    "levels, got [1]",
    "points = [{a = 1}]\n[sample]\nmethod = 'sobol'\nn = 2": "experiment.vary must be given "
    "ranges to sample, got {}",
    "where = 'a > 1'\n[vary]\na = [1, 2]\n[sample]\nmethod = 'morris'": "experiment.where must "
    "be left out: method morris needs each of its points, got 'a > 1'",
}


@pytest.mark.parametrize(("text", "says"), CASES.items())
def test_a_problem_names_its_field(text, says):
    assert problems(text) == (says,)


def test_conditions_wait_until_what_they_name_can_be_read():
    found = problems("where = 'a > b'\n[vary]\na = '8..1'\n[zip]\nb = [1]")
    assert len(found) == 1
    assert found[0].startswith("vary.a must be two finite numbers")


def test_each_wrong_condition_is_told():
    found = problems(
        "where = ['vm.cuont > 1', 'vm.count >', 'vm.count < 9']\n[vary]\nvm.count = [1]"
    )
    assert len(found) == 2


def test_conditions_may_name_what_is_fixed():
    plan = {"vary": {"a": [1, 2, 3]}, "where": "a <= b"}
    assert points(plan, fixed={"b": 2}) == [{"a": 1}, {"a": 2}]
