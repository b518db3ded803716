"""Every number that ships can be traced: its source is in the bibliography or argued."""

import re

import pytest

from virtperf import catalog

NUMBERS = [
    pytest.param(quantity, id=f"{numbers.name}.{key}")
    for numbers in [*map(catalog.platform, catalog.names("platforms")), catalog.devices()]
    for key, quantity in numbers.items()
]


@pytest.mark.parametrize("quantity", NUMBERS)
def test_a_number_cites_the_bibliography_or_another_platform_or_argues(quantity):
    key = re.match(r"[\w-]+", quantity.source).group()

    if quantity.evidence == "assumed":
        assert len(quantity.source.split()) > 3  # a sentence, not a word
    else:
        assert key in catalog.bibliography() or key in catalog.names("platforms")


def test_platforms_of_a_kind_have_the_same_numbers():
    """A platform is for loads on a disk, for work on the CPU, or both, but whole in each."""
    keys = {name: set(catalog.platform(name)) for name in catalog.names("platforms")}
    disk, cpu = keys["zen1-kvm-guest"], keys["xen-2003"] | keys["p4-vmware-2006"]
    for name, own in keys.items():
        if "native_user" in own:
            assert disk <= own, name
    assert keys["x86-kvm-2020"] == keys["toy"] == disk | cpu
