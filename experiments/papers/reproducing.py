"""What every reproduction does: predict, look outcomes up, compare, draw, say how it went.

Predictions are those of `virtperf.validation`, made from the inputs that each claim declares;
``models/published/outcomes.csv`` is read when all are made. Results go to ``results/papers``, or to
the folder that is named: ``python experiments/papers/adams_2006_nanobenchmarks.py elsewhere``.
"""

import sys
from pathlib import Path

from virtperf import plot, validation


def reproduce(script: str, title: str, *outcomes: str) -> None:
    """Compare the claims of a publication; write ``figure.png`` and ``table.csv``; print a line."""
    table = validation.table(validation.run(validation.claims_of(*outcomes)))
    folder = results() / "papers" / Path(script).stem
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "table.csv", index=False)
    plot.save(plot.published(table, title=title), folder / "figure.png")
    print(said(table))


def said(table) -> str:
    """Return how many predictions were met, and the one that is furthest off."""
    predicted = table[table["kind"] != "calibrated"]
    fitted = len(table) - len(predicted)
    met = int((predicted["verdict"] == "met").sum())
    factors = predicted["predicted"] / predicted["published"]
    worst = predicted.loc[factors.map(lambda ratio: max(ratio, 1 / ratio)).idxmax()]
    says = f"{met} of {len(predicted)} predictions met; furthest off ({worst['error']:+.0%}): "
    says += f"{worst['says']}."
    return says + (f" Of {len(table)} figures {fitted} went into the inputs." if fitted else "")


def results() -> Path:
    """Return the folder for results."""
    return Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "results"
