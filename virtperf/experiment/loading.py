"""A stored experiment as a result again: no scenario file, nothing built, nothing run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from virtperf.errors import DamageError, StoreError
from virtperf.experiment.gather import answer
from virtperf.experiment.question import stored
from virtperf.store import Store

if TYPE_CHECKING:
    from virtperf.result import Result


def load(folder: str | Path) -> Result:
    """Return the result of an experiment that is stored in `folder`, as far as it has been run.

    Raises
    ------
    StoreError
        If nothing is stored there, or what is stored is damaged.
    """
    store = Store(Path(folder))
    if not store.exists:
        raise StoreError(folder, "has no stored experiment")
    try:
        question = stored(store.plan)
    except (KeyError, TypeError, AttributeError) as error:
        says = f"is damaged: no plan that this virtperf reads ({type(error).__name__}: {error})"
        raise DamageError(store.folder / "plan.json", says) from None
    return answer(question, store)
