"""A validation that could see its outcomes would be worth nothing: tests of the runner itself."""

import csv
import re
import shutil
from dataclasses import replace

import pytest

from virtperf import catalog, validation
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.validation import CLAIMS, Claim, ClaimError, Estimate, published
from virtperf.validation.claim import check, lineage
from virtperf.validation.published import Fact

pytestmark = pytest.mark.validation
GUESS = Claim(
    says="a guess",
    outcome="fio.qd1.iops",
    inputs=("vhostblk.depth",),
    predict=lambda given: Estimate(given["vhostblk.depth"]),
    why="none is needed here",
)


def fact(name, *ancestors, value=1.0):
    return Fact(
        id=name,
        value=value,
        unit="1",
        low=None,
        high=None,
        source="a test",
        how="assumed",
        confidence="low",
        ancestors=ancestors,
    )


def double(path):
    """Double every published value, and its range, in a table."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= {key: repr(2 * float(row[key])) for key in ("value", "low", "high") if row[key]}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def moved_models(tmp_path, monkeypatch):
    """Let the catalog find a copy of the models with all outcomes doubled, and no fio files."""
    copy = tmp_path / "models"
    shutil.copytree(catalog.root(), copy, ignore=shutil.ignore_patterns("fio", "__pycache__"))
    double(copy / "published" / "outcomes.csv")
    monkeypatch.setattr(catalog, "root", lambda: copy)


@pytest.mark.slow
def test_doubling_every_outcome_moves_no_prediction(tmp_path, monkeypatch):
    before = validation.run()
    moved_models(tmp_path, monkeypatch)
    after = validation.run()

    assert [o.predicted for o in after] == [o.predicted for o in before]
    assert [o.published for o in after] == [2 * o.published for o in before]


def test_doubling_every_outcome_moves_no_quick_prediction(tmp_path, monkeypatch):
    claims = [claim for claim in CLAIMS if claim.outcome == "fio.qd1.iops"] + [GUESS]
    before = validation.run(claims)
    moved_models(tmp_path, monkeypatch)

    assert [o.predicted for o in validation.run(claims)] == [o.predicted for o in before]


def test_outcomes_are_read_after_the_last_prediction(monkeypatch):
    order = []

    def predict(given):
        order.append("predict")
        return Estimate(1.0)

    read = published.outcomes
    monkeypatch.setattr(published, "outcomes", lambda: order.append("read") or read())
    validation.run([replace(GUESS, predict=predict)] * 3)

    assert order == ["predict"] * 3 + ["read"]


@pytest.mark.parametrize("inputs", [("fio.qd1.iops",), ("first-light",), ("vhostblk.depth", "b")])
def test_a_claim_that_knows_its_outcome_is_refused(inputs):
    facts = published.inputs() | {
        "fio.qd1.iops": fact("fio.qd1.iops"),
        "a": fact("a", "fio.qd1.iops"),
        "b": fact("b", "a"),
    }
    with pytest.raises(ClaimError, match=r"a guess: what it foretells went into it .*qd1\.iops"):
        check([replace(GUESS, inputs=inputs)], facts)


def test_a_law_may_not_know_its_outcome_either():
    with pytest.raises(ClaimError, match="went into it"):
        check([replace(GUESS, kind="law", inputs=("first-light",))], published.inputs())


def test_a_calibrated_claim_must_be_one():
    check([replace(GUESS, kind="calibrated", inputs=("first-light",))], published.inputs())
    with pytest.raises(ClaimError, match="not calibrated"):
        check([replace(GUESS, kind="calibrated")], published.inputs())


def test_an_unknown_input_or_outcome_is_refused():
    for name in ("vhostblk.dept", "x86-kvm-2020.virtio_pops"):
        with pytest.raises(ClaimError, match=name):
            validation.run([replace(GUESS, inputs=("vhostblk.depth", name))])
    with pytest.raises(ClaimError, match="no outcome"):
        validation.run([replace(GUESS, outcome="fio.qd2.iops")])


def test_a_prediction_sees_only_what_it_declares():
    with pytest.raises(UnknownNameError, match=r"vhostblk\.depth"):
        validation.run([replace(GUESS, inputs=("vhostblk.pcpus",))])


def test_a_number_of_the_platform_that_is_used_must_be_declared():
    claim = next(claim for claim in CLAIMS if claim.outcome == "fio.qd1.iops")
    fewer = tuple(name for name in claim.inputs if not name.endswith("submit_share"))
    with pytest.raises(UnknownNameError, match="submit_share"):
        validation.run([replace(claim, inputs=fewer)])


def test_no_claim_declares_a_number_it_does_not_use(monkeypatch):
    """Two kinds of use: asked for by name, or read from the platform when a system is built."""
    from virtperf.validation.given import Given

    used = set()
    declared = Given._declared
    monkeypatch.setattr(
        Given, "_declared", lambda self, name: used.add(name) or declared(self, name)
    )
    monkeypatch.setattr("virtperf.validation.claims.RUN", 300)
    monkeypatch.setattr("virtperf.validation.claims.LONG_RUN", 1_000)
    for claim in CLAIMS:
        used.clear()
        claim.predict(Given(claim.inputs, published.inputs()))
        assert used == set(claim.inputs), claim.says


@pytest.mark.parametrize(
    ("predicted", "verdict"),
    [
        (Estimate(1.09), "met"),
        (Estimate(1.11), "missed"),
        (Estimate(0.89), "missed"),
        (Estimate(1.09, 0.02), "unresolved"),
        (Estimate(1.20, 0.02), "missed"),
    ],
)
def test_a_verdict_takes_the_whole_noise_interval(predicted, verdict):
    claim = replace(GUESS, tolerance=0.1)
    outcome = validation.Outcome(claim=claim, predicted=predicted, fact=fact("x"))
    assert outcome.verdict == verdict


def test_a_tolerance_needs_an_argument():
    with pytest.raises(ParameterError, match="argument"):
        replace(GUESS, why=" ")


def test_times_are_compared_in_the_unit_they_were_published_in():
    (outcome,) = validation.run([replace(GUESS, outcome="fio.qd1.p50", tolerance=0.1)])
    assert outcome.predicted.value == pytest.approx(128 / 1e3)  # ns -> us


# -- the tables -------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [published.inputs, published.outcomes])
def test_every_published_figure_has_a_known_source_or_an_argument(read):
    bibliography, models = catalog.bibliography(), catalog.root()
    for row in read().values():
        key = re.split("[,:;]", row.source)[0]
        shown = key == "arithmetic" or (models / key.removeprefix("models/")).is_file()
        own = row.how == "assumed" or (row.how == "derived" and shown)
        assert own or key in bibliography, row.id
        assert row.source.strip() and row.confidence in ("high", "medium", "low"), row.id
        recalled = row.how.removeprefix("recalled-") in ("high", "medium", "low")
        assert recalled or row.how in ("read", "derived", "assumed"), row.id


def test_inputs_and_outcomes_are_different_figures():
    assert not set(published.inputs()) & set(published.outcomes())


def test_every_ancestor_and_every_claimed_outcome_exists():
    facts, known = published.inputs(), published.outcomes()
    assert {a for row in facts.values() for a in row.ancestors} <= set(known) | set(facts)
    assert {claim.outcome for claim in CLAIMS} == set(known)


def test_a_platform_number_from_the_fio_files_has_its_line_of_descent():
    """CPU time per request is a share of CPU over the requests completed: an outcome is in it."""
    facts = published.inputs()
    for platform in catalog.names("platforms"):
        for name, quantity in catalog.platform(platform).items():
            if quantity.source.startswith("virtperf-fio"):
                assert "fio.qd32.iops" in lineage([f"{platform}.{name}"], facts), name
