"""OpenAI and everything that speaks its protocol, through the `openai` package."""

from collections.abc import Callable
from typing import Any

import httpx
import httpx2
from openai import AsyncOpenAI
from openai.types import CompletionUsage

from spectral.platform.llm.calls import EmbeddingRequest, ModelRequest
from spectral.platform.llm.credentials import Credential, ProviderKind
from spectral.platform.llm.prices import TokenCounts
from spectral.platform.llm.remote.clients import MODELS_MAXIMUM, Answer, ProviderClient, Vectors
from spectral.platform.llm.remote.faults import UnreadableReplyError
from spectral.platform.llm.remote.parameters import openai_parameters
from spectral.platform.llm.remote.transport import GuardedTransport

BASE_URL = "https://api.openai.com/v1"


def connect(credential: Credential, http: httpx.AsyncClient, timeout_s: float) -> ProviderClient:
    """A client for this credential, which owns the connections. Nothing is called yet."""
    return OpenAIClient(credential, http, timeout_s)


class OpenAIClient:
    """Chat completions and embeddings: what compatible endpoints speak too."""

    def __init__(self, credential: Credential, http: httpx.AsyncClient, timeout_s: float) -> None:
        self._compatible = credential.kind is ProviderKind.OPENAI_COMPATIBLE
        self._client = AsyncOpenAI(
            api_key=credential.api_key,
            base_url=credential.base_url or BASE_URL,
            max_retries=0,
            timeout=timeout_s,
            http_client=httpx2.AsyncClient(transport=GuardedTransport(http), follow_redirects=False),
        )

    async def complete(self, model: str, request: ModelRequest) -> Answer:
        """Raises InvalidRequestError, UnreadableReplyError and the errors of `openai`."""
        reply = await self._client.chat.completions.create(**self._body(model, request))
        # The library hands on whatever JSON there was.
        choices = getattr(reply, "choices", None)
        if not choices or getattr(choices[0], "message", None) is None:
            raise UnreadableReplyError("no choice")
        message = choices[0].message
        text = message.content if message.content is not None else message.refusal
        return Answer(_text(text), _counts(reply.usage), choices[0].finish_reason)

    async def stream(self, model: str, request: ModelRequest, on_text: Callable[[str], None]) -> Answer:
        """Raises as `complete`."""
        pieces: list[str] = []
        usage: CompletionUsage | None = None
        finished: str | None = None
        body = self._body(model, request)
        stream = await self._client.chat.completions.create(**body, stream=True, stream_options={"include_usage": True})
        async with stream:
            async for chunk in stream:
                usage = chunk.usage or usage
                for choice in chunk.choices or ():
                    finished = choice.finish_reason or finished
                    piece = choice.delta.content or choice.delta.refusal
                    if piece:
                        pieces.append(piece)
                        on_text(piece)
        if finished is None:
            raise UnreadableReplyError("the stream broke off")
        return Answer("".join(pieces), _counts(usage), finished)

    async def embed(self, model: str, request: EmbeddingRequest) -> Vectors:
        """Raises UnreadableReplyError and the errors of `openai`."""
        reply = await self._client.embeddings.create(model=model, input=list(request.texts), encoding_format="float")
        found = sorted(getattr(reply, "data", None) or (), key=lambda each: each.index)
        vectors = [each.embedding for each in found]
        if len(vectors) != len(request.texts) or len({len(vector) for vector in vectors}) != 1:
            raise UnreadableReplyError("not one vector for each text")
        counts = None if reply.usage is None else TokenCounts(input=reply.usage.prompt_tokens)
        return Vectors(vectors, counts)

    async def list_models(self) -> list[str]:
        """Raises UnreadableReplyError and the errors of `openai`."""
        page = await self._client.models.list()
        if not isinstance(page.data, list):
            raise UnreadableReplyError("no list of models")
        return [str(model.id) for model in page.data[:MODELS_MAXIMUM]]

    async def close(self) -> None:
        await self._client.close()

    def _body(self, model: str, request: ModelRequest) -> dict[str, Any]:
        parameters = openai_parameters(request.parameters, request.seed, compatible=self._compatible)
        messages = [{"role": message.role, "content": message.content} for message in request.messages]
        body: dict[str, Any] = {"model": model, "messages": messages, "extra_body": parameters}
        return body


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnreadableReplyError("the content is no text")
    return value


def _counts(usage: CompletionUsage | None) -> TokenCounts | None:
    if usage is None or not isinstance(usage.prompt_tokens, int) or not isinstance(usage.completion_tokens, int):
        return None
    read, thought = usage.prompt_tokens_details, usage.completion_tokens_details
    return TokenCounts(
        input=usage.prompt_tokens,
        output=usage.completion_tokens,
        cache_read=(read.cached_tokens or 0) if read else 0,
        reasoning=(thought.reasoning_tokens or 0) if thought else 0,
    )
