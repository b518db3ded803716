"""Makita 2018: kicks of a sender whose vhost worker polls, before and after it leaves them off."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(
        __file__, "Makita 2018: UDP of 1,472 bytes through a vhost worker that polls", "makita18."
    )
