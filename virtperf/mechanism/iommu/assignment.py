"""Who owns a device, and which frames have to stay where they are for it."""

from collections import Counter
from collections.abc import Iterable, Mapping

from virtperf.errors import ParameterError, UnknownNameError


class Assignments:
    """Devices and their owners: a group that cannot be told apart goes to one owner as a whole.

    Parameters
    ----------
    groups : mapping of str to str
        Device to group. What shares a group can reach its mates without passing the IOMMU.

    Examples
    --------
    >>> devices = Assignments({"disk": "7", "sound": "7"})
    >>> devices.assign("disk", "web")
    >>> devices.assign("sound", "db")
    Traceback (most recent call last):
    virtperf.errors.ParameterError: sound.owner must be web, which has disk of its group, got 'db'
    """

    def __init__(self, groups: Mapping[str, str]) -> None:
        self.groups = dict(groups)
        self.owners: dict[str, str] = {}

    def assign(self, device: str, owner: str) -> None:
        """Give a device to a VM, or to the host.

        Raises
        ------
        ParameterError
            If it, or another one of its group, is somebody else's.
        """
        if device not in self.groups:
            raise UnknownNameError("device", device, self.groups)
        if device in self.owners:
            raise ParameterError(device, "owner", f"{self.owners[device]}, which has it", owner)
        for mate, other in self.owners.items():
            if self.groups[mate] == self.groups[device] and other != owner:
                raise ParameterError(
                    device, "owner", f"{other}, which has {mate} of its group", owner
                )
        self.owners[device] = owner

    def release(self, device: str) -> None:
        """Take a device back."""
        if device not in self.owners:
            raise UnknownNameError("device that is assigned", device, self.owners)
        del self.owners[device]


class Pins:
    """Frames that a device may reach at any time, so that nobody may take or move them.

    Most devices cannot wait for a page: what they might touch is there, and stays there. So memory
    that is pinned is neither given to others, nor swapped, nor taken by a balloon.

    Parameters
    ----------
    total : int
        Frames of the machine.
    """

    def __init__(self, total: int) -> None:
        if total < 1:
            raise ParameterError("Pins", "total", "at least 1", total)
        self.total = total
        self._times: Counter[int] = Counter()

    def pin(self, frames: Iterable[int]) -> None:
        """Keep frames where they are; as often as they are pinned they must be let go of."""
        self._times.update(frames)

    def unpin(self, frames: Iterable[int]) -> None:
        """Let go of frames.

        Raises
        ------
        ParameterError
            If one of them is not pinned.
        """
        for frame in frames:
            if frame not in self._times:
                raise ParameterError("Pins", "frame", "one that is pinned", frame)
            self._times[frame] -= 1
            if not self._times[frame]:
                del self._times[frame]

    def movable(self, frame: int) -> bool:
        """Return whether a frame may be taken, swapped or moved."""
        return frame not in self._times

    @property
    def pinned(self) -> int:
        """How many frames are pinned."""
        return len(self._times)

    @property
    def left(self) -> int:
        """How many frames are left that memory can be overcommitted with."""
        return self.total - self.pinned
