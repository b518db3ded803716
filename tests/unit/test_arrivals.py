"""Arrivals: bursts keep the theory of their process, a trace comes back instant by instant."""

import json
import math
import pickle
from itertools import accumulate, islice, pairwise
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest

from tests.systems import scenario, station_queue
from tests.unit.test_tables import outcome
from virtperf.assembly import Assembly
from virtperf.assembly.numbering import draw_row
from virtperf.build import build
from virtperf.dist import Cycle, Deterministic, Empirical, Exponential, Gamma, Mmpp
from virtperf.draws import draws
from virtperf.errors import ParameterError, ScenarioError, SimulationError
from virtperf.experiment.against_theory import _most_ahead, refuse_impossible
from virtperf.path import end, serve
from virtperf.rng import stream
from virtperf.scenario import Scenario
from virtperf.sim import run
from virtperf.sim.engine import Machine
from virtperf.sim.request import Request
from virtperf.tables import DrawKind, DrawRow, Sequence, System

MS = 1e6
BURSTS = Mmpp((1_000, 20_000), (10 * MS, 2 * MS))
GAPS = [Gamma(1500, 2), Gamma(1500, 0.3), Cycle((500, 0, 4000)), Mmpp((2e6, 1e5), (3e4, 3e4))]
EACH = pytest.mark.parametrize("gap", GAPS, ids=lambda gap: type(gap).__name__)

TRACE = """time_us,process,direction
1700000000000000.5,a,read
1700000000000010.5,b,write
1700000000000010.5,b,read
1700000000000017.250001,a,read
"""
AT_NS = [0, 10_000, 10_000, 16_750.001]  # after the first
MEAN_NS = 5_583.334  # 16,750.001 / 3, in whole ps
KINDS = ["read", "write", "read", "read"]


# -- the process ----------------------------------------------------------------------------


def two_states(rates, lengths):
    """Return rates of arrivals and of leaving, and the mean rate of arrivals, all per ns."""
    (a, b), (leave_a, leave_b) = (r / 1e9 for r in rates), (1 / length for length in lengths)
    mean = (a * leave_b + b * leave_a) / (leave_a + leave_b)
    return a, b, leave_a, leave_b, mean


def test_two_states_have_the_textbook_index_of_dispersion():
    """The closed form of the cookbook for two states."""
    a, b, x, y, _ = two_states(BURSTS.rates_per_s, BURSTS.sojourns)
    expected = 1 + 2 * (a - b) ** 2 * x * y / ((x + y) ** 2 * (a * y + b * x))
    assert BURSTS.dispersion == pytest.approx(expected, rel=1e-12)


def test_on_and_off_is_a_renewal_process():
    """An interrupted Poisson process has independent gaps: both variations are one."""
    process = Mmpp((100_000, 0), (1 * MS, 3 * MS))
    a, _, x, y, _ = two_states(process.rates_per_s, process.sojourns)
    assert process.scv == pytest.approx(1 + 2 * a * x / (x + y) ** 2, rel=1e-12)
    assert process.dispersion == pytest.approx(process.scv, rel=1e-12)


@pytest.mark.parametrize("rates", [(500,), (500, 500, 500)])
def test_states_of_one_rate_are_a_poisson_process(rates):
    process = Mmpp(rates, (3 * MS, 1 * MS, 2 * MS)[: len(rates)])
    assert process.mean == pytest.approx(2 * MS)
    assert (process.scv, process.dispersion) == pytest.approx((1, 1))
    assert process.quantile(0.9) == pytest.approx(Exponential(2 * MS).quantile(0.9))


def test_bursts_keep_their_rate_and_their_index_of_dispersion_in_the_long_run():
    """400,000 gaps: the mean within 4 standard errors of its own theory, and counts in stretches.

    The index of dispersion over a time t is 1 + (I - 1)(1 - (1 - exp(-rt)) / rt) with r the sum
    of both rates of leaving; a variance of w counts is good to sqrt(2 / w).
    """
    gaps = BURSTS.draw(stream(1, 0, "gaps"), 400_000)
    assert abs(gaps.mean() / BURSTS.mean - 1) <= 4 * math.sqrt(BURSTS.dispersion / len(gaps))

    *_, x, y, rate = two_states(BURSTS.rates_per_s, BURSTS.sojourns)
    length = 5 * sum(BURSTS.sojourns)
    counts = np.diff(np.searchsorted(np.cumsum(gaps), np.arange(0, gaps.sum(), length)))
    turns = (x + y) * length
    index = 1 + (BURSTS.dispersion - 1) * (1 - (1 - math.exp(-turns)) / turns)
    assert counts.mean() == pytest.approx(rate * length, rel=0.05)
    assert counts.var() / counts.mean() == pytest.approx(index, rel=4 * math.sqrt(2 / len(counts)))


@pytest.mark.parametrize(
    "process", [BURSTS, Mmpp((5, 0, 100, 1_000), (1e9, 1e8, 5e7, 2e8))], ids=["two", "four"]
)
@pytest.mark.parametrize("q", [0.25, 0.5, 0.95])
def test_the_stated_quantile_splits_the_gaps(process, q):
    """Neighbouring gaps are alike: as many count as independent ones as their dispersion leaves."""
    gaps = process.draw(stream(1, 0, "gaps"), 200_000)
    slack = 4 * math.sqrt(q * (1 - q) * process.dispersion / len(gaps))
    assert np.mean(gaps <= process.quantile(q)) == pytest.approx(q, abs=slack)


def test_a_sampler_remembers_the_state_and_what_is_left_of_it():
    whole, rng, sample = BURSTS.draw(stream(1, 0, "x"), 3_000), stream(1, 0, "x"), BURSTS.sampler()
    pieces = np.concatenate([sample(rng, n) for n in (1, 999, 2_000)])
    assert pieces == pytest.approx(whole, rel=1e-6)
    again = BURSTS.sampler()(stream(1, 0, "x"), 3_000)
    assert (again == whole).all()


# -- rows and draws -------------------------------------------------------------------------


@EACH
def test_a_row_of_gaps_holds_their_mean_and_comes_back(gap):
    queue = station_queue(Deterministic(1000.0), load=0.5)
    values, weights = [7.0], [1.0]
    row = draw_row("gap", gap, values, weights)
    assert row.a == gap.mean
    assert len(values) == len(weights)
    system = rebuilt(queue, row, values, weights)
    expected = gap.sampler()(stream(3, 1, "me/gap"), 100)
    drawn = list(islice(draws(system, "me", 0, 3, 1), 100))
    assert drawn == pytest.approx(expected * 1000, abs=1)


def rebuilt(system: System, row: DrawRow, values, weights) -> System:
    data = system.to_dict() | {"values": values, "weights": weights}
    data["draws"] = [{name: getattr(row, name) for name in row.__slots__}]
    return System.from_dict(data)


@EACH
def test_a_system_with_such_arrivals_survives_json_and_runs_the_same(gap):
    built = queue_of(gap)
    again = System.from_dict(json.loads(json.dumps(built.to_dict())))
    assert again == built
    assert outcome(again) == outcome(built)


def test_a_choice_draws_one_uniform_number_for_each_index():
    row = DrawRow(purpose="way", kind=DrawKind.CHOICE, a=0.0, b=0.0, values=Sequence(1, 4))
    system = rebuilt(queue_of(Deterministic(5.0)), row, (9.0, 0.0, 1.0, 2.0), (9.0, 1.0, 3.0, 4.0))
    chosen = list(islice(draws(system, "me", 0, 1, 0), 10_000))
    uniform = stream(1, 0, "me/way").random(10_000)
    assert chosen == [int(u >= 1 / 8) + int(u >= 4 / 8) for u in uniform]


def test_a_constant_draws_nothing():
    row = draw_row("gap", Deterministic(2.5), [], [])
    system = rebuilt(queue_of(Deterministic(5.0)), row, (), ())
    with patch("virtperf.rng.stream", side_effect=AssertionError):
        assert list(islice(draws(system, "me", 0, 1, 0), 3)) == [2500] * 3


def test_what_engines_do_not_know_is_refused():
    with pytest.raises(ParameterError, match=r"draw\.gap must be a distribution engines know"):
        draw_row("gap", object(), [], [])
    with pytest.raises(ParameterError, match=r"queue\.order must be of numbers below 1"):
        queue_of(Deterministic(5.0), order=(0, 1))


def queue_of(gap, *, order=None, shares=None) -> System:
    assembly = Assembly("queue")
    assembly.station("server", 1)
    path = (serve("server", Deterministic(100.0), "device"), end())
    classes = {kind: (share, path) for kind, share in (shares or {"job": 1.0}).items()}
    assembly.source("queue", classes, gap=gap, order=order)
    return assembly.system()


# -- a trace --------------------------------------------------------------------------------


@pytest.fixture
def trace(tmp_path):
    """Return a function from the text of a trace, and words of the load, to a load."""

    def load(text: str = TRACE, **words):
        path = tmp_path / "arrivals.csv"
        path.write_text(text)
        return scenario(load={"kind": "trace", "file": str(path)} | words).vm[0].load

    return load


def arrivals(system: System, requests: int = 10) -> list[tuple[int, str]]:
    """Return when requests came, in ticks, and of which class."""
    seen, entering = [], Machine._begin

    def enter(self: Machine, request: Request, inbox: int) -> None:
        seen.append((self.env.now, request.row.name))
        entering(self, request, inbox)

    with patch.object(Machine, "_begin", enter):
        run(system, seed=1, replication=0, requests=requests)
    return seen[:requests]


def expected(rounds: int) -> list[int]:
    """Return the instants of TRACE, in ticks: each round starts one mean gap after what was."""
    gaps = [MEAN_NS, *(b - a for a, b in pairwise(AT_NS))]
    return [round(at * 1000) for at in accumulate(gaps * rounds)]


def test_a_trace_is_replayed_at_its_instants_in_its_order_again_and_again(trace):
    load = trace()
    seen = arrivals(queue_of(load.gap(), order=load.order, shares=load.shares), requests=12)
    assert [at for at, _ in seen] == expected(3)
    assert [kind for _, kind in seen] == KINDS * 3
    assert load.shares == {"read": 0.75, "write": 0.25}


def test_a_trace_is_replayed_through_a_built_system(trace):
    load = {"kind": "trace", "file": trace().file.path}
    seen = arrivals(build(scenario(load=load)), requests=12)
    assert [at for at, _ in seen] == expected(3)
    assert [kind for _, kind in seen] == KINDS * 3


def test_speed_multiplies_the_rate_and_keeps_every_instant_to_the_tick(trace):
    load = trace(speed=4.0)
    gaps = load.gap()
    assert gaps.mean == pytest.approx(MEAN_NS / 4, rel=1e-6)
    instants = list(accumulate(round(gap * 1000) for gap in gaps.values))
    assert [at - instants[0] for at in instants] == [round(at * 250) for at in AT_NS]


def test_a_trace_without_directions_leaves_them_to_the_mix(trace):
    load = trace("time_ns\n5\n7\n", mix={"read": 1, "write": 3})
    assert load.order is None
    assert load.shares == {"read": 0.25, "write": 0.75}
    assert load.gap() == Cycle((2.0, 2.0))


def test_the_content_of_a_trace_decides_not_its_place(tmp_path):
    def canonical(name: str, text: str, **words) -> str:
        (tmp_path / name).write_text(text)
        load = {"kind": "trace", "file": str(tmp_path / name)}
        return scenario(load=load | words).canonical()

    first = canonical("a.csv", TRACE)
    assert canonical("b.csv", TRACE.replace(",b,", ",other,")) == first
    assert canonical("a.csv", TRACE.replace("write", "read")) != first
    assert canonical("a.csv", TRACE.replace("10.5", "10.6")) != first
    assert canonical("a.csv", TRACE, speed=2.0) != first


def test_a_trace_is_found_beside_its_scenario(tmp_path):
    (tmp_path / "arrivals.csv").write_text(TRACE)
    path = tmp_path / "mine.toml"
    text = scenario(load={"kind": "open", "rate": 5}).to_toml()
    assert 'kind = "open", rate = 5.0' in text
    path.write_text(text.replace('"open", rate = 5.0', '"trace", file = "arrivals.csv"'))
    loaded = Scenario.load(path)
    assert loaded.vm[0].load.order == (0, 1, 0, 0)
    assert Scenario.from_dict(loaded.to_dict(), name="mine") == loaded
    assert pickle.loads(pickle.dumps(loaded)) == loaded


BAD = """time_us,direction
1,read
x,read
0.5,write

3,raed
4
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            BAD,
            (
                "vm[0].load.file, line 3: time_us must be a number, got 'x'",
                "vm[0].load.file, line 4: time_us must not decrease, got 0.5 after 1",
                "vm[0].load.file, line 6: direction must be read or write, got 'raed'",
                "vm[0].load.file, line 7: direction must be read or write, got ''",
            ),
        ),
        ("", ("vm[0].load.file must have one column of time_s, time_us, time_ns, got none",)),
        (
            "time_s,time_ns\n",
            (
                "vm[0].load.file must have one column of time_s, time_us, time_ns, "
                "got time_s, time_ns",
            ),
        ),
        (
            "time_s\n1\n1\n",
            ("vm[0].load.file must hold arrivals at two instants at least, got 2",),
        ),
        ("time_s\n0\n1e9\n", ("vm[0].load.file must not last longer than 106 days",)),
        ("time_s\n1\ninf\n", ("vm[0].load.file, line 3: time_s must be a number, got 'inf'",)),
    ],
    ids=["lines", "empty", "two columns", "one instant", "too long", "infinite"],
)
def test_all_that_is_wrong_with_a_trace_is_told_at_once(trace, text, says):
    with pytest.raises(ScenarioError) as caught:
        trace(text)
    assert caught.value.problems == says


def test_of_many_bad_lines_the_first_are_shown_and_the_rest_counted(trace):
    with pytest.raises(ScenarioError) as caught:
        trace("time_s\n" + "x\n" * 100)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "vm[0].load.file: 80 more lines are wrong"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"mix": {"read": 1}}, "mix must be left out where file has a column direction"),
        ({"jobs": 2}, "jobs must be at most 1, got 2"),
        ({"speed": 0}, "speed must be above 0, got 0"),
        ({"speed": math.inf}, "speed must be a finite number, got inf"),
        ({"speed": 1e30}, "speed must be such that the trace lasts from 1 ps to 106 days, got"),
        ({"rate": 5}, "rate is not a field of trace load"),
        ({"file": 5}, "file must be the path of a CSV file, got 5"),
        ({"file": "none.csv"}, "file must be a CSV file that can be read, got 'none.csv': No such"),
    ],
)
def test_a_load_that_no_trace_can_be_is_refused(trace, words, says):
    with pytest.raises(ScenarioError) as caught:
        trace(**words)
    (problem,) = caught.value.problems
    assert problem.startswith(f"vm[0].load.{says}")


# -- theory beside a trace ------------------------------------------------------------------


@pytest.mark.parametrize("gaps", [(3, 3, 3), (1, 9, 2), (0, 0, 6, 1, 0, 8)])
def test_no_stretch_of_a_trace_holds_more_than_it_is_ahead(gaps):
    """Every stretch that begins and ends with an arrival, over three rounds."""
    mean = sum(gaps) / len(gaps)
    at = list(accumulate(gaps * 3))
    most = max(
        (j - i + 1) - (at[j] - at[i]) / mean for i in range(len(at)) for j in range(i, len(at))
    )
    assert _most_ahead(gaps) == pytest.approx(most)


def test_a_burst_of_a_trace_is_no_mistake_but_the_same_rate_for_ever_is():
    """Ten arrivals in 10 us are in the trace, which has ten in 1,000 us."""
    system = queue_of(Cycle((1e3,) * 9 + (991e3,)))
    point = SimpleNamespace(
        label="burst", system=system, theory=SimpleNamespace(throughput_upper_per_s=1e4)
    )
    refuse_impossible(point, 1e6, [SimpleNamespace(completed=10)])
    with pytest.raises(SimulationError, match="theory allows"):
        refuse_impossible(point, 1e6, [SimpleNamespace(completed=1_000)])


@pytest.mark.parametrize(
    ("gap", "variation"),
    [
        (Exponential(5.0), 1.0),
        (Gamma(5.0, 2.0), 4.0),
        (Empirical((1.0, 3.0), (1.0, 1.0)), 0.25),
        (BURSTS, BURSTS.dispersion),
    ],
    ids=lambda value: type(value).__name__,
)
def test_more_variable_gaps_may_stray_further(gap, variation):
    """Five standard errors of 100 draws are allowed, and no more."""
    point = SimpleNamespace(
        label="x", system=queue_of(gap), theory=SimpleNamespace(throughput_upper_per_s=1.0)
    )
    most = 1 + 5 * math.sqrt(variation / 100)
    refuse_impossible(point, most * 0.999, [SimpleNamespace(completed=100)])
    with pytest.raises(SimulationError):
        refuse_impossible(point, most * 1.001, [SimpleNamespace(completed=100)])


def test_lognormal_gaps_have_the_rate_of_the_load_and_a_variation_of_their_own():
    arrivals = {"kind": "lognormal", "cv": 3.0}
    gap = scenario(load={"kind": "open", "rate": 1_000, "arrivals": arrivals}).vm[0].load.gap()
    assert (gap.mean, gap.cv) == (1e6, 3.0)
