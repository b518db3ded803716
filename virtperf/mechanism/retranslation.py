"""The two other answers to when code is translated: all of it before, or again if it traps."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from virtperf.errors import ParameterError
from virtperf.mechanism.block import Block
from virtperf.mechanism.code_cache import exact_expansion
from virtperf.mechanism.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticCounts:
    """What an execution of a statically translated image did.

    Attributes
    ----------
    executed_blocks, executed_instructions : int
        All guest blocks and instructions that ran, those of fallbacks included.
    fallbacks, fallback_instructions : int
        Blocks, and their instructions, that an interpreter had to run.
    """

    executed_blocks: int
    executed_instructions: int
    fallbacks: int
    fallback_instructions: int


class StaticImage:
    """A guest image translated as a whole before it starts, executed or not.

    A block runs in a fallback, an interpreter, if an indirect branch leads to it and the
    translator could not foresee that target, or if its page has been modified since; one block
    counts once even if both hold. The block after it is translated code again, if it can be.

    Parameters
    ----------
    translated_instructions : int
        Guest instructions translated.
    image_bytes : int
        Host bytes of the result.
    known_targets : collection of int
        Addresses that the translator knew as targets of indirect branches.
    """

    def __init__(
        self, translated_instructions: int, image_bytes: int, known_targets: Collection[int]
    ) -> None:
        self.translated_instructions = translated_instructions
        self.image_bytes = image_bytes
        self.known_targets = frozenset(known_targets)
        self._modified: set[int] = set()

    def modify(self, page: int) -> None:
        """Note that the guest wrote to its code on this page, given by its number.

        Raises
        ------
        ParameterError
            If `page` is negative.
        """
        if page < 0:
            raise ParameterError("StaticImage", "page", "at least 0", page)
        self._modified.add(page)

    def execute(self, program: Program, blocks: Iterable[int]) -> StaticCounts:
        """Run the blocks at these addresses in turn; the first is an entry known beforehand.

        Raises
        ------
        ParameterError
            If an address is no block, or no successor of the one before.
        """
        executed = instructions = fallbacks = fallback_instructions = 0
        previous: Block | None = None
        for address in blocks:
            block = program.step(previous, address)
            executed += 1
            instructions += block.instructions
            if self._falls_back(previous, block):
                fallbacks += 1
                fallback_instructions += block.instructions
            previous = block
        return StaticCounts(
            executed_blocks=executed,
            executed_instructions=instructions,
            fallbacks=fallbacks,
            fallback_instructions=fallback_instructions,
        )

    def _falls_back(self, previous: Block | None, block: Block) -> bool:
        computed = previous is not None and previous.end == "indirect"
        if computed and block.address not in self.known_targets:
            return True
        return any(page in self._modified for page in block.pages)


def translate_image(
    image_instructions: int,
    image_bytes: int,
    expansion: float,
    known_targets: Collection[int] = (),
) -> StaticImage:
    """Translate a whole image before it starts.

    Parameters
    ----------
    image_instructions, image_bytes : int
        Guest instructions and guest bytes of code.
    expansion : float
        Host bytes per guest byte.
    known_targets : collection of int
        Addresses that static analysis found as targets of indirect branches.

    Raises
    ------
    ParameterError
        If a count is below 1, there are more instructions than bytes, or `expansion` is not
        positive and finite.
    """
    if image_instructions < 1:
        rule = "at least 1"
        raise ParameterError("translate_image", "image_instructions", rule, image_instructions)
    if image_bytes < image_instructions:
        rule = f"at least one per instruction, {image_instructions}"
        raise ParameterError("translate_image", "image_bytes", rule, image_bytes)
    host_bytes = math.ceil(image_bytes * exact_expansion("translate_image", expansion))
    return StaticImage(image_instructions, host_bytes, known_targets)


class Adaptive:
    """Adaptive binary translation: an instruction that traps often becomes a callout.

    A site traps `threshold` + 1 times; the last of them gets it retranslated, once, into code
    that calls out of the cache. When `max_sites` have been adapted, other sites trap for ever.

    Parameters
    ----------
    threshold : int
        Traps that are borne, at least 0.
    max_sites : int
        Sites that memory allows to adapt, at least 0.

    Attributes
    ----------
    traps, retranslations, callouts : int
        How often each happened; `retranslations` is also the number of adapted sites.

    Raises
    ------
    ParameterError
        If a parameter is negative.

    Examples
    --------
    >>> adaptive = Adaptive(threshold=1, max_sites=10)
    >>> [adaptive.trap(0x40) for _ in range(4)]
    ['trap', 'trap', 'callout', 'callout']

    References
    ----------
    .. [1] K. Adams and O. Agesen, "A comparison of software and hardware techniques for x86
       virtualization", ASPLOS 2006: adaptive binary translation.
    """

    def __init__(self, threshold: int, max_sites: int) -> None:
        if threshold < 0:
            raise ParameterError("Adaptive", "threshold", "at least 0", threshold)
        if max_sites < 0:
            raise ParameterError("Adaptive", "max_sites", "at least 0", max_sites)
        self.threshold = threshold
        self.max_sites = max_sites
        self.traps = self.retranslations = self.callouts = 0
        self._trapped: dict[int, int] = {}
        self._adapted: set[int] = set()

    def trap(self, site: int) -> Literal["trap", "callout"]:
        """Return how the sensitive instruction at address `site` is handled this time."""
        if site in self._adapted:
            self.callouts += 1
            return "callout"
        self.traps += 1
        self._trapped[site] = self._trapped.get(site, 0) + 1
        if self._trapped[site] > self.threshold and len(self._adapted) < self.max_sites:
            del self._trapped[site]
            self._adapted.add(site)
            self.retranslations += 1
        return "trap"
