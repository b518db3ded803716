"""The platform's numbers as techniques read them, with a record of which were read."""

from virtperf.params import ParameterSet, Quantity


class Costs:
    """Named costs in ns; remembers what was asked for, so that a report can cite it.

    Parameters
    ----------
    *sets : ParameterSet
        Looked through in order.
    """

    def __init__(self, *sets: ParameterSet) -> None:
        self.sets = sets
        self.used: dict[str, Quantity] = {}

    def _owner(self, key: str) -> ParameterSet:
        return next((s for s in self.sets if key in s), self.sets[0])

    def __contains__(self, key: str) -> bool:
        return any(key in numbers for numbers in self.sets)

    def quantity(self, key: str) -> Quantity:
        """Return a quantity by name."""
        self.used[key] = quantity = self._owner(key)[key]
        if quantity.unit == "cycles":
            self.used["frequency"] = self._owner(key)["frequency"]
        return quantity

    def ns(self, key: str) -> float:
        """Return a time in ns; cycles become time with the platform's frequency."""
        self.quantity(key)
        return self._owner(key).ns(key)

    def count(self, key: str) -> int:
        """Return a plain number, rounded."""
        return round(self.quantity(key).base)

    def share(self, key: str) -> float:
        """Return a plain number."""
        return self.quantity(key).base
