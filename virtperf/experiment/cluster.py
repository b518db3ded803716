"""Runs on a dask.distributed cluster, by its own `concurrent.futures` interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from virtperf.errors import ParameterError, SimulationError

RETRIES = 3  # of a task whose worker died, by the cluster


@contextmanager
def cluster(address: str) -> Iterator[Any]:
    """Provide the executor of a cluster; its workers need the same version of virtperf.

    Parameters
    ----------
    address : str
        Of its scheduler, for example ``tcp://10.0.0.1:8786``.

    Raises
    ------
    ParameterError
        If the extra ``virtperf[cluster]`` is not installed.
    SimulationError
        If no scheduler answers there, or its workers have another version of the model.
    """
    try:
        from distributed import Client
    except ImportError:
        must = "used where dask.distributed is installed: pip install 'virtperf[cluster]'"
        raise ParameterError("cluster", "address", must, address) from None
    try:
        client: Any = Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise SimulationError(f"no cluster answers at {address}: {error}") from None
    with client:
        _refuse_others(client)
        yield client.get_executor(pure=False, retries=RETRIES)


def _refuse_others(client: Any) -> None:
    """Refuse workers whose model would give other numbers than the key of a run says."""
    from virtperf.experiment.version import model_version

    own = model_version("fast")
    for worker, version in client.run(model_version, "fast").items():
        if version != own:
            says = f"worker {worker} has model {version}, this is {own}: install one version"
            raise SimulationError(says)
