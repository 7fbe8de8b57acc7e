"""Run the benchmarks and print one line, or one JSON object, per claim.

A benchmark is a module of this folder with a function ``run(n=None)`` that returns its results:
name, n, ours_s, baseline, baseline_s, ratio, goal, met. Times are medians of interleaved runs in
one process; ratios compare runs of the same minute on the same machine, so they travel. A goal is
a number; it and met are null where a row is only shown and nothing is promised.
"""

import argparse
import importlib
import json
import os
import pkgutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aurastream.operations.processor import faster_sort, one_thread

HERE = Path(__file__).parent


def modules() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(m.name for m in pkgutil.iter_modules([str(HERE)]) if not m.name.startswith("_"))


def results(names: list[str]) -> Iterator[dict[str, Any]]:
    """Run the named benchmarks one after another."""
    untouched = dict(os.environ)
    for name in names:
        yield from importlib.import_module(f"benchmarks.{name}").run()
        # Some name the servers they started there, which are gone now.
        os.environ.clear()
        os.environ.update(untouched)


def line(row: dict[str, Any]) -> str:
    """Return a result as a line to read."""
    verdict = {True: "met", False: "MISSED", None: "only shown"}[row["met"]]
    goal = "–" if row["goal"] is None else f"{row['goal']:g}"
    return (
        f"{row['name']:<44} n={row['n']:<9,} ours {row['ours_s']:9.4f} s   "
        f"{row['baseline']} {row['baseline_s']:9.4f} s   ratio {row['ratio']:8.1f}   "
        f"goal {goal}   {verdict}"
    )


def main() -> int:
    """Parse the command line, run, print; exit 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--list", action="store_true", help="only list the names")
    arguments = parser.parse_args()
    known = modules()
    if arguments.list:
        print("\n".join(known))
        return 0
    if unknown := sorted(set(arguments.names) - set(known)):
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(known)}")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Of a shell's background: what is started here would not hear that it is to end.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # As the product does; no benchmark has imported numpy yet.
    os.environ |= faster_sort() | one_thread()
    met = True
    for row in results(arguments.names or known):
        met = met and row["met"] in {True, None}
        print(json.dumps(row) if arguments.json else line(row), flush=True)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
