"""Adams and Agesen 2006, section 6: operations under binary translation and the first VT-x."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(
        __file__,
        "Adams and Agesen 2006: binary translation and the first VT-x, a Pentium 4",
        "adams06.",
    )
