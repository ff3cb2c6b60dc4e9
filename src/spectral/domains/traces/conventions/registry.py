"""Which conventions are read, in which order: ours, the built-in ones, then those that packages bring along."""

from importlib.metadata import entry_points

from spectral.domains.traces.conventions.anthropic_sdk import AnthropicSdkConvention
from spectral.domains.traces.conventions.base import Convention
from spectral.domains.traces.conventions.gen_ai import GenAiConvention
from spectral.domains.traces.conventions.langfuse import LangfuseConvention
from spectral.domains.traces.conventions.mlflow import MlflowConvention
from spectral.domains.traces.conventions.openinference import OpenInferenceConvention
from spectral.domains.traces.conventions.openllmetry import OpenLLMetryConvention
from spectral.domains.traces.conventions.pydantic_ai import PydanticAiConvention
from spectral.domains.traces.conventions.spectral import SpectralConvention
from spectral.domains.traces.conventions.vercel import VercelConvention

ENTRY_POINTS = "spectral.trace_conventions"
"""Entry point group: each names a subclass of `Convention` without constructor arguments."""

BUILT_IN = (
    SpectralConvention,
    GenAiConvention,
    OpenInferenceConvention,
    OpenLLMetryConvention,
    VercelConvention,
    LangfuseConvention,
    MlflowConvention,
    PydanticAiConvention,
    AnthropicSdkConvention,
)


def load_conventions() -> tuple[Convention, ...]:
    """Every installed convention; one that is not a `Convention` stops the start with TypeError."""
    brought = []
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda found: found.name):
        convention = entry.load()()
        if not isinstance(convention, Convention):
            message = f"entry point {entry.name} of {ENTRY_POINTS} is not a trace convention"
            raise TypeError(message)
        brought.append(convention)
    return (*(convention() for convention in BUILT_IN), *brought)
