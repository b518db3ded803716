"""What crosses a network path at a time: a packet, or a burst that is cut behind the guest.

A frame is the IP packet, 18 bytes of Ethernet header and checksum, 64 bytes at least, and 20 bytes
of silence and preamble on the wire. TCP takes 52 bytes of an IP packet (with time stamps), UDP 28.
"""

from dataclasses import dataclass
from typing import Literal

from virtperf.errors import ParameterError

Protocol = Literal["tcp", "udp"]
HEADERS = {"tcp": 52, "udp": 28}  # bytes of IP and transport headers in each packet
FRAMING, SHORTEST, SILENCE = 18, 64, 20
PIECE = 4096  # bytes of a fragment that a descriptor names
LARGEST_SEGMENT = 65_536  # bytes that TSO and GSO carry at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Data that go through the guest's stack at once.

    Attributes
    ----------
    data : int
        Bytes of the application; 0 for an acknowledgement.
    mtu : int
        Largest IP packet.
    protocol : {'tcp', 'udp'}

    Examples
    --------
    >>> Message(data=1448, mtu=1500).wire_bytes
    1538
    >>> Message(data=65_536, mtu=1500).packets
    46
    """

    data: int
    mtu: int = 1500
    protocol: Protocol = "tcp"

    def __post_init__(self) -> None:
        if self.data < 0:
            raise ParameterError("Message", "data", "at least 0", self.data)
        if self.mtu <= HEADERS[self.protocol]:
            must = f"above its headers, {HEADERS[self.protocol]} bytes"
            raise ParameterError("Message", "mtu", must, self.mtu)

    @property
    def packets(self) -> int:
        """Packets on the wire."""
        return max(1, -(-self.data // most_data(self.mtu, self.protocol)))

    @property
    def frame_bytes(self) -> int:
        """Bytes of all its frames in memory: headers included, silence not."""
        return self.wire_bytes - SILENCE * self.packets

    @property
    def descriptors(self) -> int:
        """Pieces of memory that the NIC is told of to send it: a burst is cut behind them."""
        return max(1, -(-self.frame_bytes // PIECE))

    @property
    def wire_bytes(self) -> int:
        """Bytes that the line is busy with, all its packets together."""
        most, around = most_data(self.mtu, self.protocol), HEADERS[self.protocol] + FRAMING
        last = self.data - (self.packets - 1) * most
        full = most + around + SILENCE
        return (self.packets - 1) * full + max(SHORTEST, last + around) + SILENCE


def most_data(mtu: int, protocol: Protocol) -> int:
    """Return the data of a full packet."""
    return mtu - HEADERS[protocol]
