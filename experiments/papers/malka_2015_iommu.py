"""Malka et al. 2015: strict and deferred IOMMU protection of a stream of packets."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(
        __file__, "Malka et al. 2015: maps of an IOMMU for each buffer of a stream", "malka15."
    )
