"""How much longer work takes where more workers than pCPUs may want to run.

References
----------
.. [11] P. A. Jacobson, E. D. Lazowska, "Analyzing queueing networks with simultaneous resource
   possession", Communications of the ACM 25, 1982.
"""


def crowding(others: float, workers: int, pcpus: int) -> float:
    """Return by how much a runnable worker is slowed down: E[max(1, (1 + R) / P)].

    A request holds its worker while that waits for a pCPU: two resources at once [11]_. The
    runnable workers are taken to share the pCPUs evenly, as with short slices.

    Parameters
    ----------
    others : float
        Mean number R of the other workers that are runnable, each by itself.
    workers, pcpus : int
        How many share how many, P.

    Returns
    -------
    float
        At least 1, and `workers / pcpus` if all always run.

    Examples
    --------
    >>> crowding(1.0, 2, 1), crowding(3.0, 4, 2), crowding(0.5, 4, 4)
    (2.0, 2.0, 1.0)
    """
    chance, slower = min(1.0, others / max(1, workers - 1)), (1 + others) / pcpus
    if workers <= pcpus:
        return 1.0
    if chance == 1:
        return slower
    found = (1 - chance) ** (workers - 1)
    for k in range(pcpus - 1):  # where a pCPU is left, there is nothing to be gained
        slower += found * (1 - (1 + k) / pcpus)
        found *= (workers - 1 - k) / (k + 1) * chance / (1 - chance)
    return slower
