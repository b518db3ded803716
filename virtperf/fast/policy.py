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
LAST_SHORT = max(SHORT)  # policies up to here charge nothing, and explain nothing


def _choice(name: str, otherwise: Any) -> Callable[..., Any]:
    """Return a function of (policy, the rule's arguments) that calls the rule `name` of a policy.

    Policies without such a rule do what `otherwise` does. Who asks has the short policies in line,
    and calls one function for all others.
    """
    plain = inlined(otherwise)
    chain = plain
    for number, policy in reversed(COMPILED.items()):
        if number not in SHORT and hasattr(policy, name):
            chain = _either(number, of_rule(getattr(policy, name), compiled), chain)
    chain = _called(chain)
    short = {n: getattr(COMPILED[n], name, None) for n in SHORT}
    if not any(short.values()):
        return _unless_short(plain, chain)
    for number, rule in reversed(short.items()):
        chain = _either(number, of_rule(rule, inlined), chain) if rule else chain
    return chain


def _called(chain: Any) -> Callable[..., Any]:
    @compiled
    def whichever(policy: int, *given: Any) -> Any:
        return chain(policy, *given)

    return whichever


def _unless_short(plain: Any, chain: Any) -> Callable[..., Any]:
    @inlined
    def choose(policy: int, *given: Any) -> Any:
        if policy <= LAST_SHORT:
            return plain(policy, *given)
        return chain(policy, *given)

    return choose


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
moves = _choice("moves", _nobody)
must_go = _choice("must_go", _no)
regroups = _choice("regroups", _no)
why_idle = _choice("why_idle", _no)
