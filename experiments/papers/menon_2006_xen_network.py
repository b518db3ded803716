"""Menon et al. 2006: what Xen's split network driver sends and receives, and how to help it."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(
        __file__, "Menon et al. 2006: Xen's split network driver on one CPU with Dom0", "menon06."
    )
