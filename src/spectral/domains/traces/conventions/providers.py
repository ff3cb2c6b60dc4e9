"""One name per provider, in the words of OpenTelemetry's `gen_ai.provider.name`."""

from functools import lru_cache
from typing import Any

from spectral.domains.traces.conventions.base import text

_NAMES = {
    "amazon-bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google_genai": "gcp.gemini",
    "google.vertex": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
}
"""Deprecated values of `gen_ai.system`, and what other conventions say."""

_SURFACES = (
    ".chat",
    ".responses",
    ".completion",
    ".messages",
    ".embedding",
    ".embeddings",
    ".textembedding",
    ".image",
    ".speech",
    ".transcription",
)
"""The Vercel AI SDK says `openai.responses` for the part of a provider that it called."""


def provider(value: Any) -> str | None:
    """A provider under its current name, in lower case."""
    found = text(value)
    return None if found is None else _current(found)


@lru_cache(maxsize=1024)
def _current(found: str) -> str:
    found = found.lower()
    if found.endswith(_SURFACES):
        found = found.rpartition(".")[0]
    return _NAMES.get(found, found)
