"""A scenario: what a file says about one question, checked as a whole, read, varied, written."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationError

from virtperf import catalog
from virtperf.errors import ScenarioError
from virtperf.params import ParameterSet
from virtperf.scenario import address, emit, numbers, whole, wording
from virtperf.scenario.frozen import Frozen, Tables
from virtperf.scenario.loads import TraceLoad
from virtperf.scenario.network import Nic
from virtperf.scenario.parts import Device, Host, RunPlan, Vm


class Scenario(Frozen):
    """Platform, techniques, guests and load of one question, as frozen data.

    Build it with `load` or `from_dict`, vary it with `with_`: these check the whole, and report
    all problems at once.
    """

    title: str = ""
    """One line for the reader."""
    platform: str
    """Name of a shipped platform, or path of a platform file relative to this one."""
    numbers: dict[str, Any] = Field(default_factory=dict)
    """Numbers of the platform set anew: a value in its unit, ``"1.1x"``, ``"low"``, a table."""
    host: Host = Host()
    """The machine's CPUs."""
    vm: Annotated[Tables[Vm], Field(min_length=1)]
    """The virtual machines."""
    device: dict[str, Device] = Field(default_factory=dict)
    """The devices behind the disks, by name."""
    nic: dict[str, Nic] = Field(default_factory=dict)
    """The physical network interfaces, by name."""
    run: RunPlan = RunPlan()
    """Length of the simulation."""

    _name: str = PrivateAttr(default="scenario")
    _dropped: tuple[str, ...] = PrivateAttr(default=())

    @property
    def name(self) -> str:
        """Stem of the file it was read from."""
        return self._name

    @property
    def dropped(self) -> tuple[str, ...]:
        """What the last change left out, as its techniques do not know it: address=value."""
        return self._dropped

    @classmethod
    def load(cls, path_or_name: str | Path) -> "Scenario":
        """Read a scenario file, or a shipped scenario by name.

        Parameters
        ----------
        path_or_name : str or Path
            Path of a ``.toml`` file, or a name of ``catalog.names("scenarios")``.

        Raises
        ------
        ScenarioError
            With every problem of the file.
        UnknownNameError
            If there is neither such a file nor such a shipped scenario.

        Examples
        --------
        >>> Scenario.load("toy").platform
        'toy'
        """
        path = Path(path_or_name)
        if path.suffix != ".toml" and not path.is_file():
            path = catalog.path("scenarios", str(path_or_name))
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ScenarioError(str(path), [f"cannot be read: {error.strerror}"]) from None
        except ValueError as error:  # TOML syntax, with its line, or not UTF-8
            raise ScenarioError(str(path), [f"is not TOML: {error}"]) from None
        return cls._checked(whole.beside(data, path.parent), str(path), path.stem)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], *, name: str = "scenario") -> "Scenario":
        """Build from the tables of a scenario file; raises as `load`."""
        return cls._checked(mapping, name, name)

    @classmethod
    def _checked(cls, data: Mapping[str, Any], source: str, name: str) -> "Scenario":
        problems = []
        try:
            scenario = cls.model_validate(dict(data))
        except ValidationError as error:
            problems = wording.problems(error, cls)
        problems += whole.problems(data)
        if problems:
            raise ScenarioError(source, problems)
        scenario._name = name
        return scenario

    def to_dict(self) -> dict[str, Any]:
        """Return the tables of the scenario file; `from_dict` reads them."""
        return self.model_dump(exclude_none=True, exclude_unset=True)

    def to_toml(self) -> str:
        """Return the text of the scenario file; `load` reads it."""
        return emit.toml(self.to_dict())

    def parameters(self) -> ParameterSet:
        """Return the numbers of the platform, those that the scenario sets itself among them."""
        return numbers.parameters(self.platform, self.numbers)

    def with_(self, address_: str, value: object) -> "Scenario":
        """Return a copy in which one field has another value.

        Parameters
        ----------
        address_ : str
            ``vm.count`` is that of all VMs, ``vm[0].count`` of one; ``vm.disk`` is short for
            ``vm.disk.technique``, likewise ``vm.cpu`` and ``vm.nic``; ``platform.exit_kernel`` is a
            number of the platform.
        value : object
            As the file would give it.

        Raises
        ------
        UnknownNameError
            If there is no such address; near matches are offered.
        ScenarioError
            If the changed scenario is impossible.
        """
        return self.with_all({address_: value})

    def with_all(self, changes: Mapping[str, object]) -> "Scenario":
        """Return a copy with several fields changed at once, address to value; see `with_`.

        A disk technique that the VM's CPU technique cannot carry takes its default CPU technique
        along, unless `changes` names one. A field that a new technique does not know is left out,
        even if `changes` gives it; `dropped` tells.
        """
        tables, dropped = address.changed(self, self.to_dict(), changes)
        changed = self.from_dict(tables, name=self.name)
        changed._dropped = dropped
        return changed

    def channel_band(self) -> dict[str, "Scenario"]:
        """Return the scenario at each end of each device's range of channels.

        The service time moves along by the device's `service_scale`, so that every variant still
        meets the measurement the device was fitted to.

        Returns
        -------
        dict
            ``"device.ssd0.channels=1"`` and the like, to the changed scenario; empty where no
            device states a range.
        """
        return {
            f"device.{name}.channels={end}": self.with_all(changes)
            for name, device in self.device.items()
            for end, changes in whole.ends(name, device)
        }

    def canonical(self) -> str:
        """Return what decides the outcome as sorted JSON: no seed, no run length, no prose."""
        data = self.model_dump(exclude_none=True, exclude={"run", "title"})
        for empty in (key for key in ("nic", "numbers") if not data[key]):
            del data[empty]
        for device in data["device"].values():
            del device["origin"], device["assumed"]
        for vm, table in zip(self.vm, data["vm"], strict=True):
            for load, own in _pairs(vm, table):
                if not own.get("numbers", True):
                    del own["numbers"]
                if isinstance(load, TraceLoad):
                    own["file"] = load.file.digest
        return json.dumps(data, sort_keys=True, separators=(",", ":"))

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema of scenario files, for editors."""
        return cls.model_json_schema()


def _pairs(vm: Vm, table: dict[str, Any]) -> Iterator[tuple[object, dict[str, Any]]]:
    """Yield each load of a VM's disks, or of itself, and its dumped table."""
    for owner, own in (
        (vm, table),
        (vm.disk, table.get("disk", {})),
        *zip(vm.disks or (), table.get("disks", ()), strict=True),
    ):
        if "load" in own:
            yield getattr(owner, "load", None), own["load"]
