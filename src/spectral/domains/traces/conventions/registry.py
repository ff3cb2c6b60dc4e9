"""Which conventions are read, in which order: ours, the built-in ones, then those that packages bring along."""

from importlib.metadata import entry_points

from spectral.domains.traces.conventions.base import Convention
from spectral.domains.traces.conventions.gen_ai import GenAiConvention
from spectral.domains.traces.conventions.openinference import OpenInferenceConvention
from spectral.domains.traces.conventions.spectral import SpectralConvention

ENTRY_POINTS = "spectral.trace_conventions"
"""Entry point group: each names a class without constructor arguments that is a `Convention`."""


def load_conventions() -> tuple[Convention, ...]:
    """Every installed convention; one that is not a `Convention` stops the start with TypeError."""
    built_in: tuple[Convention, ...] = (SpectralConvention(), GenAiConvention(), OpenInferenceConvention())
    brought = []
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda found: found.name):
        convention = entry.load()()
        if not isinstance(convention, Convention):
            message = f"entry point {entry.name} of {ENTRY_POINTS} is not a trace convention"
            raise TypeError(message)
        brought.append(convention)
    return (*built_in, *brought)
