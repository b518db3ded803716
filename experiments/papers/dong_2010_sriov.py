"""Dong et al. 2010: SR-IOV functions that share a line, and what each more VM takes."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(
        __file__,
        "Dong et al. 2010: a line of 10 Gbit/s for up to 60 VMs with functions of their own",
        "dong10.",
    )
