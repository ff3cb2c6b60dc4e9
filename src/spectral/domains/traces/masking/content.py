"""Which attributes and events of spans hold message content, whatever convention the span follows."""

KEYS = frozenset(
    {
        # Our own.
        "spectral.input",
        "spectral.output",
        # OpenTelemetry GenAI, current and deprecated.
        "gen_ai.prompt",
        "gen_ai.completion",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.definitions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.tool.arguments",
        "gen_ai.tool.result",
        "gen_ai.tool.message",
        "gen_ai.retrieval.query.text",
        "gen_ai.retrieval.documents",
        "gen_ai.evaluation.explanation",
        "gen_ai.event.content",
        # OpenInference.
        "input.value",
        "output.value",
        "llm.prompts",
        "llm.function_call",
        "tool.parameters",
        "tool.json_schema",
        "reranker.query",
        # OpenLLMetry.
        "traceloop.entity.input",
        "traceloop.entity.output",
        "llm.request.functions",
        # Vercel AI SDK.
        "ai.prompt",
        "ai.toolCall.args",
        "ai.toolCall.result",
        "ai.value",
        "ai.values",
        "ai.embedding",
        "ai.embeddings",
        "ai.response.text",
        "ai.response.object",
        "ai.response.reasoning",
        "ai.response.toolCalls",
        "ai.response.files",
        "ai.result.text",
        "ai.result.object",
        "ai.result.toolCalls",
        # Langfuse, MLflow.
        "langfuse.trace.input",
        "langfuse.trace.output",
        "langfuse.observation.input",
        "langfuse.observation.output",
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "mlflow.chat.messages",
        "mlflow.chat.tools",
        "mlflow.traceInputs",
        "mlflow.traceOutputs",
        # pydantic-ai and Logfire.
        "all_messages_events",
        "pydantic_ai.all_messages",
        "final_result",
        "tool_arguments",
        "tool_response",
        "events",
        "request_data",
        "response_data",
        # What a user asked, as general instrumentations write it.
        "message.content",
        "prompt",
        "completion",
    }
)

PREFIXES = (
    "spectral.prompt.",
    "gen_ai.prompt.",
    "gen_ai.completion.",
    "gen_ai.input.messages.",
    "gen_ai.output.messages.",
    "gen_ai.content.",
    "gen_ai.event.content.",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts.",
    "llm.completions.",
    "llm.choices.",
    "llm.prompt_template.",
    "llm.tools.",
    "llm.request.functions.",
    "retrieval.documents.",
    "reranker.input_documents.",
    "reranker.output_documents.",
    "embedding.embeddings.",
    "traceloop.prompt.",
    "traceloop.entity.input.",
    "traceloop.entity.output.",
    "ai.prompt.",
)

EVENTS = frozenset(
    {
        "gen_ai.system.message",
        "gen_ai.user.message",
        "gen_ai.assistant.message",
        "gen_ai.tool.message",
        "gen_ai.choice",
        "gen_ai.content.prompt",
        "gen_ai.content.completion",
        "gen_ai.client.inference.operation.details",
        "gen_ai.evaluation.result",
    }
)


def is_content(key: str) -> bool:
    """Whether the attribute holds what was said to or by a model, a tool or a retriever."""
    return key in KEYS or key.startswith(PREFIXES)
