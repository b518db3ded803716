"""A disk with arms and platters: against the integrals, and through a scenario."""

import pytest

from virtperf.dist import distribution
from virtperf.dist.rotating import Rotating
from virtperf.errors import ParameterError

TURN = 60e9 / 7200


def test_the_mean_is_that_of_seek_and_half_a_turn():
    """The mean of sqrt(d) at density 2 (1 - d) is 8/15; points of equal weight are 0.1 % near."""
    disk = Rotating.of(track=1e6, stroke=16e6, rpm=7200, transfer=0.1e6)

    assert disk.mean == pytest.approx(1e6 + 15e6 * 8 / 15 + TURN / 2 + 0.1e6, rel=1e-3)


def test_without_a_stroke_only_the_platter_turns():
    disk = Rotating.of(track=0.0, stroke=0.0, rpm=7200)

    assert disk.quantile(0.5) == pytest.approx(TURN / 2, rel=0.03)
    assert disk.quantile(1.0) <= TURN
    assert disk.scv == pytest.approx(1 / 3, rel=0.01)


def test_nothing_is_quicker_than_a_track_or_slower_than_a_stroke_and_a_turn():
    disk = Rotating.of(track=1e6, stroke=16e6, rpm=7200)

    assert disk.values[0] >= 1e6
    assert disk.values[-1] <= 16e6 + TURN


def test_it_is_read_and_written():
    given = {"kind": "rotating", "track": "0.6ms", "stroke": "16ms", "rpm": 7200}
    disk = distribution(given)

    assert distribution(disk.as_dict()) == disk


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"rpm": 0}, "rpm"), ({"stroke": "0.1ms"}, "stroke"), ({"track": -1}, "track")],
)
def test_an_impossible_disk_is_refused(changes, field):
    given = {"kind": "rotating", "track": "0.6ms", "stroke": "16ms", "rpm": 7200} | changes
    with pytest.raises(ParameterError) as error:
        distribution(given)
    assert error.value.field == field
