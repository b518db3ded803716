"""Liu 2015: rings of more pages, and several queues, for Xen's block driver."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(
        __file__, "Liu 2015: rings and queues of Xen's block driver", "xen_mpring.", "xen_mq."
    )
