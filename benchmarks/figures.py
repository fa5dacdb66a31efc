"""What the comparisons share: which MTAs there are here, rounds that alternate between them, medians and their ratios."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import instances

Row = Sequence[float]


def parser(text: str, rounds: int) -> argparse.ArgumentParser:
    """What every comparison understands."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=rounds)
    made.add_argument("--only", choices=["postfix", "mailer"])
    made.add_argument("--layout", choices=["single", "processes", "both"], default="single")
    return made


def makers(only: str | None, layout: str = "single") -> dict[str, Callable[..., Any]]:
    """The MTAs to compare: Postfix first, where it is installed and may be started; mailer in one process is called by its
    name, in many by that of the layout."""
    found: dict[str, Callable[..., Any]] = {"postfix": instances.postfix}
    if layout != "processes":
        found["mailer"] = instances.mailer
    if layout != "single":
        found["processes"] = partial(instances.mailer, layout="processes")
    if shutil.which("postfix") is None or os.getuid() != 0:
        if only != "mailer":
            print("no comparison: Postfix is not installed, or this is not root", file=sys.stderr)
        del found["postfix"]
    return {name: maker for name, maker in found.items() if only is None or (name == "postfix") == (only == "postfix")}


def start(
    stack: ExitStack, only: str | None, extra: str = "", layout: str = "single", **options: Any
) -> list[instances.Instance]:
    return [stack.enter_context(maker(extra, **options)) for maker in makers(only, layout).values()]


def alternate(
    running: Sequence[instances.Instance],
    rounds: int,
    measure: Callable[[instances.Instance], Row],
    warm_up: bool = True,
) -> dict[str, list[float]]:
    """A round that warms up, then ``rounds`` that count, in turn. :return: name -> medians of what ``measure`` gives."""
    rows: dict[str, list[Row]] = {instance.name: [] for instance in running}
    for number in range(0 if warm_up else 1, rounds + 1):
        for instance in running:
            row = measure(instance)
            if number:
                rows[instance.name].append(row)
    return {name: medians(found) for name, found in rows.items()}


def medians(rows: Sequence[Row]) -> list[float]:
    """Column by column."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def heading(label: str, columns: Sequence[str]) -> None:
    print(f"{label:>20} {'MTA':>8}" + "".join(f" {column:>12}" for column in columns), flush=True)


def show(label: str, found: dict[str, list[float]]) -> None:
    """A line for each MTA, and each figure of mailer's over Postfix's."""
    lines = dict(found)
    for name, values in found.items():
        if name != "postfix" and "postfix" in found:
            pairs = zip(values, found["postfix"], strict=True)
            lines[f"{name[:5]}/pf"] = [mine / other if other else float("nan") for mine, other in pairs]
    for name, values in lines.items():
        print(f"{label:>20} {name:>8}" + "".join(f" {_short(value):>12}" for value in values), flush=True)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


class Peak:
    """The most memory (octets) that a process tree had while this was watching."""

    def __init__(self, instance: instances.Instance, seconds: float = 0.1) -> None:
        self.octets = 0
        self._instance = instance
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(self._seconds):
            self.octets = max(self.octets, self._instance.resident())

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
