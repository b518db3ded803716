"""A count over time and its integral."""

from virtperf.sim.clock import Clock


class Occupancy:
    """A count over time and its integral."""

    __slots__ = ("count", "env", "integral", "since")

    def __init__(self, env: Clock) -> None:
        self.env = env
        self.count = self.integral = self.since = 0

    def add(self, change: int) -> None:
        """Change the count now."""
        now = self.env.now
        self.integral += self.count * (now - self.since)
        self.since = now
        self.count += change

    def read(self) -> int:
        """Return the integral up to now."""
        return self.integral + self.count * (self.env.now - self.since)
