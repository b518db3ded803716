"""What stands behind the claims about networks: controls, and laws of their set-ups."""

import pytest

from virtperf.validation import Given, published
from virtperf.validation.net_claims import NET_CLAIMS
from virtperf.validation.net_runs import KEPT, SERVER, functions, kvm, native, only_crossings

pytestmark = pytest.mark.validation
INPUTS, OUTCOMES = published.inputs(), published.outcomes()


@pytest.fixture
def given():
    return Given((*INPUTS, *(f"{SERVER}.{key}" for key in KEPT)), INPUTS)


def test_transitions_alone_do_not_make_a_path(given):
    """Negative control: native and the hypervisor's transitions are 50 us, not 86."""
    alone = only_crossings(given).value
    crossings = (given["dall16.out.kvm"] + given["dall16.in.kvm"]) / given["dall16.frequency"]
    inside = given["dall16.between.native"] + given["dall16.inside.native"]

    assert 1e9 / alone == pytest.approx(inside + crossings * 1e9, rel=0.01)  # two frames besides
    assert alone / OUTCOMES["dall16.rr.kvm"].value > 1.6


def test_the_segments_of_a_transaction_add_up_to_what_was_published(given):
    """At 2 %: the published segments were measured apart, and have three digits."""
    for predict, outcome in ((native, "dall16.rr.native"), (kvm, "dall16.rr.kvm")):
        assert predict(given).value == pytest.approx(OUTCOMES[outcome].value, rel=0.02)


@pytest.mark.slow
def test_as_much_goes_through_whatever_the_number_of_functions():
    """A law: within 1 % of what is offered, at every number of VMs, and nothing is lost."""
    (claim,) = (one for one in NET_CLAIMS if one.outcome == "dong10.slope")
    given = Given(claim.inputs, INPUTS)
    for vms in (10, 30, 60):
        result = functions(given, vms)
        (label,) = result.labels
        carried, noise = result.value(label, "goodput.in")
        assert abs(carried - 8 * given["dong10.offered"]) <= 0.01 * carried + noise
        for queue in ("RX ring", "socket buffer"):
            assert result.value(label, f"side_paths_per_request.lost: {queue} full")[0] == 0


def test_no_claim_about_networks_is_known_to_be_missed():
    assert not [claim.says for claim in NET_CLAIMS if claim.lacks]
