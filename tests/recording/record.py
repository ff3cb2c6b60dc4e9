"""Runs one instrumentation library against the stub providers and keeps what its OTLP exporter sends.

`python -m tests.recording.record LIBRARY FOLDER` from the project's folder, in an environment that has the library
(README.md says which packages). `@spans` or `@events` behind the library says where OpenTelemetry's own
instrumentations put message content.
"""

import asyncio
import importlib.metadata
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.recording import providers
from tests.recording.sink import Sink

TOOL = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SYSTEM = "Answer briefly."
Scenario = Callable[[], None]


def openai_scenarios(base_url: str, client_class: Any = None) -> dict[str, Scenario]:
    """Chat completions with cached and reasoning tokens, audio, tools, streaming; responses; embeddings; an error."""
    openai = import_module("openai")

    client = (client_class or openai.OpenAI)(base_url=f"{base_url}/v1", api_key="none", max_retries=0)

    def ask(text: str, **more: Any) -> Any:
        messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
        return client.chat.completions.create(**{"model": "gpt-5-mini", "messages": messages} | more)

    def tools() -> None:
        tool = {"type": "function", "function": TOOL}
        question = {"role": "user", "content": "What is the weather in Paris?"}
        called = ask("", messages=[question], tools=[tool]).choices[0].message
        result = {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "sunny"}
        calls = [call.model_dump(exclude_none=True) for call in called.tool_calls]
        ask("", messages=[question, {"role": "assistant", "tool_calls": calls}, result], tools=[tool])

    def stream() -> None:
        for _ in ask("How is Paris?", stream=True, stream_options={"include_usage": True}):
            pass

    def error() -> None:
        try:
            ask("fail")
        except openai.RateLimitError:
            return
        raise AssertionError

    def audio() -> None:
        ask("audio", model="gpt-audio", modalities=["text"])

    return {
        "chat": lambda: ask("How is Paris?"),
        "stream": stream,
        "tools": tools,
        "audio": audio,
        "error": error,
        "responses": lambda: client.responses.create(model="gpt-5-mini", instructions=SYSTEM, input="How is Paris?"),
        "embeddings": lambda: client.embeddings.create(model="text-embedding-3-small", input="Paris"),
    }


def anthropic_scenarios(base_url: str) -> dict[str, Scenario]:
    """Messages with cache reads and writes, tools, streaming; an error."""
    anthropic = import_module("anthropic")

    client = anthropic.Anthropic(base_url=base_url, api_key="none", max_retries=0)

    def ask(text: str, **more: Any) -> Any:
        messages = [{"role": "user", "content": text}]
        base = {"model": "claude-sonnet-4-5", "max_tokens": 500, "system": SYSTEM, "messages": messages}
        return client.messages.create(**base | more)

    def tools() -> None:
        tool = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
        question = {"role": "user", "content": "What is the weather in Paris?"}
        called = ask("", messages=[question], tools=[tool]).content
        result = {"type": "tool_result", "tool_use_id": called[0].id, "content": "sunny"}
        blocks = [block.model_dump(exclude_none=True) for block in called]
        answer = {"role": "user", "content": [result]}
        ask("", messages=[question, {"role": "assistant", "content": blocks}, answer], tools=[tool])

    def stream() -> None:
        for _ in ask("How is Paris?", stream=True):
            pass

    def error() -> None:
        try:
            ask("fail")
        except anthropic.RateLimitError:
            return
        raise AssertionError

    return {"chat": lambda: ask("How is Paris?"), "stream": stream, "tools": tools, "error": error}


def pydantic_ai_scenarios(base_url: str) -> dict[str, Scenario]:
    """An agent with a tool over each provider, and one whose model fails."""
    agent_class = import_module("pydantic_ai").Agent
    model_error = import_module("pydantic_ai.exceptions").ModelHTTPError
    models_of_openai = import_module("pydantic_ai.models.openai")
    openai = import_module("pydantic_ai.providers.openai").OpenAIProvider(base_url=f"{base_url}/v1", api_key="none")
    anthropic = import_module("pydantic_ai.providers.anthropic").AnthropicProvider(base_url=base_url, api_key="none")
    models = {
        "chat": models_of_openai.OpenAIChatModel("gpt-5-mini", provider=openai),
        "responses": models_of_openai.OpenAIResponsesModel("gpt-5-mini", provider=openai),
        "anthropic": import_module("pydantic_ai.models.anthropic").AnthropicModel(
            "claude-sonnet-4-5", provider=anthropic
        ),
    }

    def run(name: str) -> None:
        agent = agent_class(models[name], name="weather_agent", instructions=SYSTEM)

        def get_weather(city: str) -> str:
            """The weather in a city."""
            return f"sunny in {city}"

        agent.tool_plain(get_weather)
        asyncio.run(agent.run("What is the weather in Paris?"))

    def error() -> None:
        try:
            asyncio.run(agent_class(models["chat"], name="weather_agent").run("fail"))
        except model_error:
            return
        raise AssertionError

    return {name: lambda name=name: run(name) for name in models} | {"error": error}


def langfuse_scenarios(base_url: str) -> dict[str, Scenario]:
    """Its OpenAI wrapper inside an observed agent; a generation written by hand with usage and cost details."""
    package = import_module("langfuse")
    langfuse = package.get_client()
    chat = openai_scenarios(base_url, import_module("langfuse.openai").OpenAI)

    def observed() -> None:
        def answer(question: str) -> str:
            with package.propagate_attributes(user_id="user-1", session_id="session-1", tags=["beta"], version="7"):
                chat["chat"]()
                return f"answered {question}"

        package.observe(name="answer", as_type="agent")(answer)("How is Paris?")
        langfuse.flush()

    def manual() -> None:
        with langfuse.start_as_current_observation(
            as_type="generation",
            name="by hand",
            model="gpt-5-mini",
            input=[{"role": "user", "content": "How is Paris?"}],
        ) as generation:
            generation.update(
                output=providers.ANSWER,
                usage_details={
                    "input": 176,
                    "input_cached_tokens": 1024,
                    "output": 212,
                    "output_reasoning_tokens": 128,
                },
                cost_details={"input": 0.0001, "output": 0.0002, "total": 0.0003},
            )
        langfuse.flush()

    return {"observed": observed, "manual": manual, "tools": lambda: (chat["tools"](), langfuse.flush())[0]}


def mlflow_scenarios(base_url: str) -> dict[str, Scenario]:
    """Its automatic tracing of OpenAI inside a traced function."""
    mlflow = import_module("mlflow")
    mlflow.openai.autolog()
    chat = openai_scenarios(base_url)

    def traced() -> None:
        def answer(question: str) -> str:
            mlflow.update_current_trace(metadata={"mlflow.trace.session": "session-1", "mlflow.trace.user": "user-1"})
            chat["chat"]()
            return f"answered {question}"

        mlflow.trace(answer, name="answer", span_type="AGENT")("How is Paris?")

    def tool() -> None:
        def get_weather(city: str) -> str:
            return f"sunny in {city}"

        mlflow.trace(get_weather, name="get_weather", span_type="TOOL")("Paris")

    return {"traced": traced, "tool": tool, "tools": chat["tools"], "error": chat["error"]}


def _instrument(library: str) -> None:
    """Switch the library on, with message content, as its documentation says."""
    package, _, variant = library.partition("@")
    wanted = {"spans": "SPAN_ONLY", "events": "EVENT_ONLY"}.get(variant, "true")
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = wanted
    if variant:
        os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
        os.environ["OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT"] = "true"
    if package == "pydantic-ai-slim":
        import_module("pydantic_ai").Agent.instrument_all()
        return
    groups = ("opentelemetry_instrumentor", "openinference_instrumentor")
    entries = [entry for group in groups for entry in importlib.metadata.entry_points(group=group)]
    found = [entry for entry in entries if entry.dist is not None and entry.dist.name == package]
    found[0].load()().instrument(skip_dep_check=True)


def _plainly(scenario: Scenario) -> None:
    scenario()


def main() -> None:
    """Record every scenario of the library."""
    library, folder = sys.argv[1], Path(sys.argv[2])
    package, _, variant = library.partition("@")
    version = importlib.metadata.version(package)
    base_url = f"http://127.0.0.1:{providers.start().server_address[1]}"
    sink = Sink(folder / "-".join(part for part in (package, version, variant) if part))
    flush: Callable[[], Any]
    around: Callable[[Scenario], None] = _plainly
    if package == "langfuse":
        os.environ["OTEL_SERVICE_NAME"] = "recorded"
        os.environ |= {"LANGFUSE_HOST": sink.url, "LANGFUSE_PUBLIC_KEY": "pk-none", "LANGFUSE_SECRET_KEY": "sk-none"}
        scenarios = langfuse_scenarios(base_url)
        flush = int
    elif package == "mlflow-tracing":
        os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"{sink.url}/v1/traces"
        os.environ |= {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_SERVICE_NAME": "recorded"}
        scenarios = mlflow_scenarios(base_url)
        tracing = import_module("mlflow.tracing.provider").provider
        flush = lambda: tracing.get().force_flush()  # noqa: E731 - there is a provider once something was traced

    else:
        flush, around = _export_to(sink.url)
        _instrument(library)
        if package == "pydantic-ai-slim":
            scenarios = pydantic_ai_scenarios(base_url)
        elif "anthropic" in package:
            scenarios = anthropic_scenarios(base_url)
        else:
            scenarios = openai_scenarios(base_url)
    for name, scenario in scenarios.items():
        around(scenario)
        flush()
        sink.write(name)


def _export_to(url: str) -> tuple[Callable[[], None], Callable[[Scenario], None]]:
    """OpenTelemetry's SDK with its OTLP exporters for spans and log records: to flush it, to put a root span around."""
    resource = Resource({"service.name": "recorded"})
    tracers, loggers = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs")))
    trace.set_tracer_provider(tracers)
    set_logger_provider(loggers)

    def flush() -> None:
        tracers.force_flush()
        loggers.force_flush()

    def around(scenario: Scenario) -> None:
        with trace.get_tracer("recorder").start_as_current_span("handle request"):
            scenario()

    return flush, around


if __name__ == "__main__":
    main()
