"""What a benchmark says, and the one table that all of them end in."""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

GIBIBYTE = 1024**3


@dataclass(frozen=True)
class Figure:
    """One measured number. `detail` says what else belongs to it: latencies, sizes, settings."""

    name: str
    value: float
    unit: str
    detail: str


def machine() -> str:
    """The shape of this machine: figures mean nothing without it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE
    model = platform.machine()
    description = Path("/proc/cpuinfo")
    if description.exists():
        names = [line for line in description.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(": ")[2] if names else model
    return (
        f"{os.cpu_count()} × {model} · {memory:.0f} GiB · {platform.system()} {platform.release()} · "
        f"Python {platform.python_version()}"
    )


def print_table(figures: list[Figure], where: str) -> None:
    """One line per figure, with the machine above."""
    # In a log there is no width to fit into.
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(f"[bold]{machine()}[/bold]\n{where}")
    table = Table("Measured", "Result", "Unit", "Detail")
    table.columns[1].justify = "right"
    for figure in figures:
        table.add_row(figure.name, f"{figure.value:,.{0 if figure.value >= 100 else 1}f}", figure.unit, figure.detail)
    console.print(table)
