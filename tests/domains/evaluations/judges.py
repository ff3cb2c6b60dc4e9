"""A provider over the network that runs in the test: it judges, it gives vectors, and it fails when told to."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spectral.domains.evaluations.scoring import RubricSpec
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.calls import EmbeddingReply, EmbeddingRequest, ModelFault, ModelReply, ModelRequest
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.llm.provider import CircuitState

PRICED = "openai/gpt-4o-mini"
UNPRICED = "ours/judge"
COST = 1_000
DOWN = ModelFault("provider_error", "503", retryable=False, cost_nano_usd=None)
PASSING = ModelFault("provider_error", "429", retryable=True, retry_after_s=0.001, cost_nano_usd=0)


def verdict(score: Any, rationale: str = "because") -> str:
    """What a judge replies."""
    return json.dumps({"rationale": rationale, "score": score})


@dataclass
class JudgeProvider:
    """Replies with `says(request)`: a text or a fault. asked: every request, in order."""

    says: Callable[[ModelRequest], str | ModelFault] = lambda _request: verdict(5)
    keys: frozenset[str] = frozenset({"openai", "ours"})
    cost: int | None = COST
    asked: list[ModelRequest] = field(default_factory=list)
    embedded: list[EmbeddingRequest] = field(default_factory=list)
    name: str = "remote"

    def models(self) -> list[Any]:
        return []

    async def complete_many(self, requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        outcomes: list[ModelReply | ModelFault] = []
        for request in requests:
            self.asked.append(request)
            said = self.says(request)
            outcomes.append(said if isinstance(said, ModelFault) else ModelReply(said, 100, 20, self.cost, 5.0))
        return outcomes

    async def complete_streaming(
        self, request: ModelRequest, on_text: Callable[[str], None]
    ) -> ModelReply | ModelFault:
        del on_text
        return (await self.complete_many([request]))[0]

    async def embed(self, request: EmbeddingRequest) -> EmbeddingReply | ModelFault:
        self.embedded.append(request)
        return EmbeddingReply([[1.0, 0.0], [0.6, 0.8]], 7, self.cost, 3.0)

    async def list_models(self, access: WorkspaceAccess, provider: str) -> list[str] | ModelFault:
        del access, provider
        return []

    async def known_providers(self, access: WorkspaceAccess) -> frozenset[str]:
        del access
        return self.keys

    def circuits(self) -> Mapping[str, CircuitState]:
        return {}

    async def close(self) -> None:
        """Nothing to let go of."""

    @property
    def questions(self) -> list[str]:
        """What the judge was shown."""
        return [request.messages[-1].content for request in self.asked]


def door_to(provider: JudgeProvider) -> ModelDoor:
    """A door with the built-in runtime and this provider."""
    return ModelDoor([LocalProvider()], remote=provider)


def judged_rubric(model: str = PRICED, **options: Any) -> RubricSpec:
    """A rubric of one judge."""
    chosen = {"model": model, "prompt": "Is it good? {output}", **options}
    return RubricSpec.model_validate({"dimensions": [{"name": "good", "scorer": "judge", "options": chosen}]})
