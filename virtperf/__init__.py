"""Model what virtualization costs, and where each microsecond goes."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from virtperf.catalog import platform
    from virtperf.experiment import Experiment, compare, record, simulate
    from virtperf.params import ParameterSet, Quantity
    from virtperf.result import Result
    from virtperf.scenario import Scenario

__version__ = "0.1.0"

__all__ = [
    "Experiment",
    "ParameterSet",
    "Quantity",
    "Result",
    "Scenario",
    "compare",
    "platform",
    "record",
    "simulate",
]

_HOME = {
    "Experiment": "experiment",
    "ParameterSet": "params",
    "Quantity": "params",
    "Result": "result",
    "Scenario": "scenario",
    "compare": "experiment",
    "platform": "catalog",
    "record": "experiment",
    "simulate": "experiment",
}


def __getattr__(name: str) -> object:  # lazy: `import virtperf` stays instant
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
