"""The rules of the pool's policy, whichever it is: one function for each, that looks which.

Compiled code cannot look a function up, so each is a chain of questions, put together here. Round
robin and pinning are copied into their callers; of longer rules there is one copy.
"""

from collections.abc import Callable
from typing import Any

from virtperf.fast.compiling import compiled, inlined, of_rule
from virtperf.rules.policies import POLICIES

COMPILED = dict(POLICIES)  # one that is added later is not: only SimPy's engine can follow it
SHORT = (0, 1)


def _choice(name: str, otherwise: Any) -> Callable[..., Any]:
    """Return a function of (policy, the rule's arguments) that calls the rule `name` of a policy.

    Policies without such a rule do what `otherwise` does.
    """
    chain: Callable[..., Any] = inlined(otherwise)
    for number, policy in reversed(COMPILED.items()):
        if hasattr(policy, name):
            form = inlined if number in SHORT else compiled
            chain = _either(number, of_rule(getattr(policy, name), form), chain)
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


def _goes_back(policy: int, pool: Any, pcpus: Any, workers: Any, w: int, now: int) -> None:
    enqueue(policy, pool, pcpus, workers, w, 0, now)


reset = _choice("reset", _nothing)
place = _choice("place", _nobody)
enqueue = _choice("enqueue", _nothing)
home = _choice("home", _nobody)
preempts = _choice("preempts", _nobody)
yields = _choice("yields", _goes_back)
favour = _choice("favour", _no)
pick = _choice("pick", _nobody)
starts = _choice("starts", _nothing)
due = _choice("due", _nobody)
wanted = _choice("wanted", _no)
account = _choice("account", _nothing)
leaves = _choice("leaves", _nothing)
tick = _choice("tick", _no)
refill = _choice("refill", _nothing)
must_go = _choice("must_go", _no)
why_idle = _choice("why_idle", _no)
