"""What is compiled is compiled at one's command, all of it."""

import importlib
import pkgutil

from virtperf import mmu


def entries():
    """Return all functions that Python calls compiled."""
    for module in pkgutil.iter_modules(mmu.__path__):
        loaded = importlib.import_module(f"virtperf.mmu.{module.name}")
        for name, made in vars(loaded).items():
            own = hasattr(made, "py_func") and made.__module__ == loaded.__name__
            if own and not made.targetoptions.get("no_cpython_wrapper"):
                yield name, made


def test_nothing_is_left_to_compile_after_warming_up():
    mmu.warm_up()
    known = dict(entries())
    assert {"filter_accesses", "walk_misses", "move", "flush_tlb"} <= known.keys()
    assert not [name for name, made in known.items() if not made.signatures]


def test_what_is_warm_takes_no_time():
    mmu.warm_up()
    assert mmu.warm_up() < 1.0
