"""Bhatia 2009 and Wang et al. 2011: shadow against nested paging, and which wins where."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(
        __file__,
        "Bhatia 2009, Wang et al. 2011: shadow against nested paging",
        "bhatia09.",
        "wang11.",
        "crossover.",
    )
