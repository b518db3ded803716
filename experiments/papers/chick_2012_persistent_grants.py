"""Chick 2012: guests that map and unmap grants over one Dom0, where each unmapping flushes TLBs."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(__file__, "Chick 2012: Xen's block driver without persistent grants", "pgrants.")
