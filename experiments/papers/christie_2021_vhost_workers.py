"""Christie 2021: vhost-scsi with one worker for all queues, or one for each."""

from reproducing import reproduce

if __name__ == "__main__":
    reproduce(
        __file__, "Christie 2021: vhost-scsi, a worker for all queues or one for each", "vhostscsi_"
    )
