"""Anthropic's messages, through the `anthropic` package."""

from collections.abc import Callable
from typing import Any

import httpx
import httpx2
from anthropic import AsyncAnthropic

from spectral.platform.llm.calls import EmbeddingRequest, ModelRequest
from spectral.platform.llm.credentials import Credential
from spectral.platform.llm.prices import TokenCounts
from spectral.platform.llm.remote.clients import MODELS_MAXIMUM, Answer, InvalidRequestError, ProviderClient, Vectors
from spectral.platform.llm.remote.faults import UnreadableReplyError
from spectral.platform.llm.remote.parameters import anthropic_parameters
from spectral.platform.llm.remote.transport import GuardedTransport

BASE_URL = "https://api.anthropic.com"


def connect(credential: Credential, http: httpx.AsyncClient, timeout_s: float) -> ProviderClient:
    """A client for this credential, which owns the connections. Nothing is called yet."""
    return AnthropicClient(credential, http, timeout_s)


class AnthropicClient:
    """Messages; Anthropic makes no embeddings."""

    def __init__(self, credential: Credential, http: httpx.AsyncClient, timeout_s: float) -> None:
        self._client = AsyncAnthropic(
            api_key=credential.api_key,
            base_url=credential.base_url or BASE_URL,
            max_retries=0,
            timeout=timeout_s,
            open_telemetry=False,
            http_client=httpx2.AsyncClient(transport=GuardedTransport(http), follow_redirects=False),
        )

    async def complete(self, model: str, request: ModelRequest) -> Answer:
        """Raises InvalidRequestError, UnreadableReplyError and the errors of `anthropic`."""
        reply = await self._client.messages.create(**_body(model, request))
        # The library hands on whatever JSON there was.
        blocks = getattr(reply, "content", None)
        if not isinstance(blocks, list):
            raise UnreadableReplyError("no content")
        text = "".join(block.text for block in blocks if block.type == "text")
        return Answer(text, _counts(reply.usage), reply.stop_reason)

    async def stream(self, model: str, request: ModelRequest, on_text: Callable[[str], None]) -> Answer:
        """Raises as `complete`."""
        async with self._client.messages.stream(**_body(model, request)) as stream:
            async for piece in stream.text_stream:
                on_text(piece)
            reply = await stream.get_final_message()
        if reply.stop_reason is None:
            raise UnreadableReplyError("the stream broke off")
        text = "".join(block.text for block in reply.content if block.type == "text")
        return Answer(text, _counts(reply.usage), reply.stop_reason)

    async def embed(self, model: str, request: EmbeddingRequest) -> Vectors:
        """Raises InvalidRequestError."""
        del model, request
        raise InvalidRequestError("Anthropic makes no embeddings")

    async def list_models(self) -> list[str]:
        """Raises UnreadableReplyError and the errors of `anthropic`."""
        page = await self._client.models.list(limit=MODELS_MAXIMUM)
        if not isinstance(page.data, list):
            raise UnreadableReplyError("no list of models")
        return [str(model.id) for model in page.data[:MODELS_MAXIMUM]]

    async def close(self) -> None:
        await self._client.close()


def _body(model: str, request: ModelRequest) -> dict[str, Any]:
    parameters, instruction = anthropic_parameters(request.parameters)
    system = [message.content for message in request.messages if message.role == "system"]
    if instruction is not None:
        system.append(instruction)
    messages = [
        {"role": message.role, "content": message.content} for message in request.messages if message.role != "system"
    ]
    if not messages:
        raise InvalidRequestError("the prompt has no user message to answer")
    if system:
        parameters["system"] = "\n\n".join(system)
    # Not as arguments: the library has dropped some (`temperature`) that most models still take.
    limit = parameters.pop("max_tokens")
    return {"model": model, "messages": messages, "max_tokens": limit, "extra_body": parameters}


def _counts(usage: Any) -> TokenCounts | None:
    """Anthropic counts what it read from and wrote into its cache beside the input; here they are parts of it."""
    given, made = getattr(usage, "input_tokens", None), getattr(usage, "output_tokens", None)
    if not isinstance(given, int) or not isinstance(made, int):
        return None
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    details = usage.output_tokens_details
    thought = getattr(details, "thinking_tokens", None) or 0
    return TokenCounts(
        input=given + read + written, output=made, cache_read=read, cache_write=written, reasoning=thought
    )
