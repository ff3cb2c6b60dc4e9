"""OpenTelemetry's semantic conventions for generative AI, current and deprecated names.

Source: OpenTelemetry semantic conventions, "Generative AI" (`gen_ai.*`); deprecated names from its registry.
"""

from spectral.domains.traces.conventions.base import Convention, Field, content, count, one_of, text, usd, word
from spectral.domains.traces.conventions.providers import provider
from spectral.domains.traces.vocabulary import AGGREGATING, Kind

OPERATIONS = {
    "chat": Kind.LLM,
    "generate_content": Kind.LLM,
    "text_completion": Kind.LLM,
    "completion": Kind.LLM,
    "embeddings": Kind.EMBEDDING,
    "retrieval": Kind.RETRIEVER,
    "create_agent": Kind.AGENT,
    "invoke_agent": Kind.AGENT,
    "execute_tool": Kind.TOOL,
    "invoke_workflow": Kind.CHAIN,
    "agent_step": Kind.CHAIN,
    "plan": Kind.CHAIN,
    "evaluate": Kind.EVALUATOR,
    "guardrail": Kind.GUARDRAIL,
    "rerank": Kind.RETRIEVER,
}

AGGREGATING_OPERATIONS = frozenset(map(str, AGGREGATING)) | {
    name for name, kind in OPERATIONS.items() if kind in AGGREGATING
}
"""Operations of agents and chains: their tokens and cost repeat those of the model calls below them."""


class GenAiConvention(Convention):
    """`gen_ai.*`. Cached and reasoning tokens are parts of input and output, as the convention demands."""

    name = "gen_ai"
    fields = (
        Field("gen_ai.operation.name", "operation", word),
        Field("gen_ai.operation.name", "kind", one_of(OPERATIONS)),
        Field("gen_ai.provider.name", "provider", provider),
        Field("gen_ai.system", "provider", provider),
        Field("gen_ai.response.model", "model", text),
        Field("gen_ai.request.model", "model", text),
        Field("gen_ai.usage.input_tokens", "input_tokens", count),
        Field("gen_ai.usage.prompt_tokens", "input_tokens", count),
        Field("gen_ai.usage.output_tokens", "output_tokens", count),
        Field("gen_ai.usage.completion_tokens", "output_tokens", count),
        Field("gen_ai.usage.cache_read.input_tokens", "cache_read_tokens", count),
        Field("gen_ai.usage.cache_read_input_tokens", "cache_read_tokens", count),
        Field("gen_ai.usage.input_tokens.cached", "cache_read_tokens", count),
        Field("gen_ai.usage.details.cache_read_tokens", "cache_read_tokens", count),
        Field("gen_ai.usage.cache_write.input_tokens", "cache_write_tokens", count),
        Field("gen_ai.usage.cache_creation.input_tokens", "cache_write_tokens", count),
        Field("gen_ai.usage.cache_creation_input_tokens", "cache_write_tokens", count),
        Field("gen_ai.usage.details.cache_write_tokens", "cache_write_tokens", count),
        Field("gen_ai.usage.reasoning.output_tokens", "reasoning_tokens", count),
        Field("gen_ai.usage.reasoning_tokens", "reasoning_tokens", count),
        Field("gen_ai.usage.details.reasoning_tokens", "reasoning_tokens", count),
        Field("gen_ai.usage.audio.input_tokens", "input_audio_tokens", count),
        Field("gen_ai.usage.details.input_audio_tokens", "input_audio_tokens", count),
        Field("gen_ai.usage.audio.output_tokens", "output_audio_tokens", count),
        Field("gen_ai.usage.details.output_audio_tokens", "output_audio_tokens", count),
        Field("gen_ai.usage.cost", "cost_nano_usd", usd),
        Field("gen_ai.usage.total_cost", "cost_nano_usd", usd),
        Field("operation.cost", "cost_nano_usd", usd),
        Field("gen_ai.conversation.id", "session_id", text),
        Field("gen_ai.agent.id", "agent_id", text),
        Field("gen_ai.agent.name", "agent_id", text),
        Field("gen_ai.agent.version", "agent_version", word),
        Field("gen_ai.tool.name", "tool_name", text),
        Field("gen_ai.input.messages", "input", content),
        Field("gen_ai.prompt", "input", content),
        Field("gen_ai.tool.call.arguments", "input", content),
        Field("gen_ai.retrieval.query.text", "input", content),
        Field("gen_ai.output.messages", "output", content),
        Field("gen_ai.completion", "output", content),
        Field("gen_ai.tool.call.result", "output", content),
        Field("gen_ai.retrieval.documents", "output", content),
        Field("gen_ai.prompt.template", "prompt_template", content),
        Field("gen_ai.prompt.variables", "prompt_variables", content),
        Field("gen_ai.system_instructions", "instructions", content),
    )
