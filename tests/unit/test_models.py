"""Every number that ships can be traced: its source is in the bibliography or argued."""

import re

import pytest

from virtperf import catalog

CPU_ONLY = (  # what only work on the CPU needs, by how it begins
    *("native_syscall", "native_exception", "native_page", "native_pte", "native_port"),
    *("native_interrupt", "native_popf", "native_return", "native_cr", "native_rdtsc"),
    *("native_cpuid", "native_msr", "native_address", "native_timer", "native_ipi", "native_halt"),
    *("native_tlb_flush", "pte_share"),
    *("inject", "monitor", "trap", "vmm_entry", "callout", "lookup", "sequence_cycle", "hypercall"),
    *("pt_update", "lazy_updates", "guest_bits", "interpreter", "translat", "softmmu"),
    *(
        "nested",
        "vmcs_shadowing",
        "dispatch",
        "jump_cache",
        "instruction_bytes",
        "code_",
        "emulator",
        "unforeseen",
    ),
)
NUMBERS = [
    pytest.param(quantity, id=f"{numbers.name}.{key}")
    for numbers in [
        *map(catalog.platform, catalog.names("platforms")),
        *map(catalog.workload, catalog.names("workloads")),
        *map(catalog.image, catalog.names("images")),
        catalog.devices(),
        catalog.iommus(),
    ]
    for key, quantity in numbers.items()
]


@pytest.mark.parametrize("quantity", NUMBERS)
def test_a_number_cites_the_bibliography_or_another_platform_or_argues(quantity):
    key = re.match(r"[\w-]+", quantity.source).group()

    if quantity.evidence == "assumed" or quantity.source.startswith("derived: "):
        assert len(quantity.source.split()) > 3  # a sentence, not a word
    else:
        assert key in catalog.bibliography() or key in catalog.names("platforms")


def test_platforms_of_a_kind_have_the_same_numbers():
    """A current platform carries everything; one of a publication what that was about."""
    keys = {name: set(catalog.platform(name)) for name in catalog.names("platforms")}
    whole = keys["x86-kvm-2020"]
    assert keys["toy"] == whole
    assert all(own <= whole for own in keys.values())
    io = {key for key in whole if not key.startswith(CPU_ONLY)} | {"hypercall", "trap_reflect"}
    assert keys["zen1-kvm-guest"] == io  # the last two are Dom0's, which is paravirtual
