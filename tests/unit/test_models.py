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


def test_every_platform_has_the_same_numbers():
    keys = [set(catalog.platform(name)) for name in catalog.names("platforms")]

    assert all(one == keys[0] for one in keys)
