"""The rules of the pool's policy, whichever it is: one function for each, that looks which.

Compiled code cannot look a function up, so each is a chain of questions, put together here.
"""

from collections.abc import Callable
from typing import Any

from virtperf.fast.compiling import inlined
from virtperf.rules.policies import POLICIES

COMPILED = dict(POLICIES)  # one that is added later is not: only SimPy's engine can follow it


def _choice(name: str, otherwise: Any) -> Callable[..., Any]:
    """Return a function of (policy, the rule's arguments) that calls the rule `name` of a policy.

    Policies without such a rule do what `otherwise` does.
    """
    chain: Callable[..., Any] = inlined(otherwise)
    for number, policy in COMPILED.items():
        if hasattr(policy, name):
            chain = _either(number, inlined(getattr(policy, name)), chain)
    return chain


def _either(number: int, rule: Any, otherwise: Any) -> Callable[..., Any]:
    @inlined
    def choose(policy: int, *given: Any) -> Any:
        if policy == number:
            return rule(*given)
        return otherwise(policy, *given)

    return choose


def _nobody(policy: int, *given: Any) -> int:
    return -1


def _no(policy: int, *given: Any) -> int:
    return 0


def _nothing(policy: int, *given: Any) -> None:
    pass


place = _choice("place", _nobody)
enqueue = _choice("enqueue", _nothing)
pick = _choice("pick", _nobody)
wanted = _choice("wanted", _no)
slice_of = _choice("slice_of", _no)
preempts = _choice("preempts", _nobody)
tick = _choice("tick", _no)
account = _choice("account", _nothing)
refill = _choice("refill", _nothing)
