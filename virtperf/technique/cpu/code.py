"""The guest's own instructions, apart from operations: what a technique that rewrites reads."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Instructions of one unit of a workload.

    Attributes
    ----------
    user_ns, kernel_ns : float
        Their native time, in ns.
    user, kernel : float
        How many there are.
    memory_share : float
        Loads and stores per instruction.
    block : float
        Instructions of a basic block.
    indirect_share : float
        Blocks that end in an indirect branch or a return, of all.
    footprint : float
        Different instructions that are executed.
    image : float
        Instructions of the whole image, executed or not.
    float_share : float
        Instructions that belong to floating-point code, of all.
    """

    user_ns: float
    kernel_ns: float
    user: float
    kernel: float
    memory_share: float
    block: float
    indirect_share: float
    footprint: float
    image: float
    float_share: float = 0.0

    @property
    def instructions(self) -> float:
        """Instructions in all."""
        return self.user + self.kernel

    @property
    def ns(self) -> float:
        """Native time in all, in ns."""
        return self.user_ns + self.kernel_ns
