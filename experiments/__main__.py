"""Runs every experiment and prints the page: ``python experiments > docs/experiments.md``.

Stored runs are not made again; a folder for results may be named, as with each script.
"""

import ast
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
QUESTIONS = (
    "virtio_or_sriov",
    "io_threads",
    "page_size",
    "shadow_or_nested",
    "overcommit",
    "slice_length",
    "dom0",
    "iommu",
    "binary_translation",
)
TOOLS = ("reproducing",)
HEAD = """# Experiments

What we ask, with the answers as the scripts compute them. A question is an experiment file, a
script that draws its figure, and a folder of `results` with `figure.png` and every table. Answers
hold for the scenarios they name, whose numbers are sourced or assumed one by one (`virtperf show`);
the intervals are in the figures. This page is what `python experiments` prints; tests hold it to
that.

An experiment file names a `scenario`, changes it for all points (`[set]`), says what varies
(`[vary]` as a grid, `[zip]` in step, `[[points]]` one by one, `where`, `[sample]`), how long runs
are (`[run]`) and how precise the answer shall be (`[precision]`: relative half-widths). Addresses
are those of `--over`; `platform.exit_kernel` and `vm.load.numbers.page_faults` are numbers of the
platform and of a workload. `virtperf sweep FILE` runs it, and goes on where it was stopped.
"""
PAPERS = """## Published figures

Each script puts the claims of one publication ([trust.md](trust.md)) into a figure: predictions
over published values, what is accepted, the noise, and whether a figure was read in its source or
is recalled. `models/published/outcomes.csv` is read in the last step only.
"""


def main() -> None:
    """Print the page."""
    print(HEAD)
    for name in QUESTIONS:
        told(HERE / f"{name}.py", f"    virtperf sweep experiments/{name}.toml\n")
    print(PAPERS)
    for script in sorted((HERE / "papers").glob("*.py")):
        if script.stem not in TOOLS:
            told(script, "", level="###")


def told(script: Path, sweep: str, level: str = "##") -> None:
    """Run a script; print its question, what it answers, and how to run it."""
    asks = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    title, *rest = asks.split("\n")[0].split("? ")
    says = subprocess.run(
        [sys.executable, script, *sys.argv[1:]], check=True, capture_output=True, text=True
    )
    where = script.relative_to(HERE)
    print(f"{level} {title}{'?' if rest else ''}\n".replace(".\n", "\n"))
    print("".join(f"{line}\n\n" for line in rest) + says.stdout)
    print(f"    python experiments/{where}\n{sweep}")
    print(f"Figure: `results/{where.with_suffix('')}/figure.png`.\n")
    print(f"{script.stem} done", file=sys.stderr)


if __name__ == "__main__":
    main()
