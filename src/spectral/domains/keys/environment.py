"""What a process needs in its environment to send traces here, with their content, whatever instruments it.

Source: OpenTelemetry specification, "Environment Variable Specification" and "OTLP Exporter Configuration"; the
instrumentations' own documentation for the switches of message content.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

EXAMPLE_SERVICE = "my-agent"
PLACEHOLDER = "sk_live_…"

GEN_AI_CONTENT = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
}
"""Off by default in OpenTelemetry's own instrumentations; without the first, the second must be `true`."""

OPENLLMETRY_CONTENT = {"TRACELOOP_TRACE_CONTENT": "true"}
OPENINFERENCE_CONTENT = {"OPENINFERENCE_HIDE_INPUTS": "false", "OPENINFERENCE_HIDE_OUTPUTS": "false"}


@dataclass(frozen=True, slots=True)
class Instrumentation:
    """A family of instrumentations and what makes its spans carry content.

    scopes: how the names of its scopes begin.  environment: the variables that do it.  hint: what else does, or why
    content may be missing all the same.
    """

    name: str
    scopes: tuple[str, ...]
    hint: str
    environment: Mapping[str, str] = field(default_factory=dict)


INSTRUMENTATIONS = (
    Instrumentation(
        "OpenInference",
        ("openinference.instrumentation", "@arizeai/openinference-instrumentation"),
        "Content is hidden by OPENINFERENCE_HIDE_* variables or by a TraceConfig in the code; neither may hide inputs, "
        "outputs, messages or text.",
        OPENINFERENCE_CONTENT,
    ),
    Instrumentation(
        "OpenTelemetry GenAI",
        (
            "opentelemetry.instrumentation.openai_v2",
            "opentelemetry.instrumentation.openai_agents",
            "opentelemetry.instrumentation.genai",
            "opentelemetry.instrumentation.google_genai",
            "opentelemetry.instrumentation.vertexai",
            "opentelemetry.instrumentation.anthropic_v2",
            "opentelemetry.instrumentation.botocore",
            "opentelemetry.util.genai",
        ),
        "Content is off unless it is switched on. Releases from before the opt-in take the value `true` instead and "
        "send content as log events: then the process needs an OTLP log exporter too.",
        GEN_AI_CONTENT,
    ),
    Instrumentation(
        "OpenLLMetry",
        ("opentelemetry.instrumentation.", "@traceloop/", "traceloop"),
        "Content is sent unless TRACELOOP_TRACE_CONTENT is `false`, or `traceContent` in the code.",
        OPENLLMETRY_CONTENT,
    ),
    Instrumentation(
        "Vercel AI SDK",
        ("ai", "@ai-sdk/", "next.js"),
        "In the code: `experimental_telemetry: { isEnabled: true }` with neither `recordInputs: false` nor "
        "`recordOutputs: false` (version 7: `telemetry`, and `@ai-sdk/otel` registered).",
    ),
    Instrumentation(
        "Pydantic AI",
        ("pydantic-ai", "logfire"),
        "In the code: `InstrumentationSettings(include_content=True)`, which is the default; with version 1 of its "
        "format content comes as log events, so the process needs an OTLP log exporter, or `version=2` or later.",
    ),
)
"""The first whose scopes fit is meant: OpenTelemetry's own are more particular than OpenLLMetry's."""

UNKNOWN = Instrumentation(
    "unknown",
    (),
    "This instrumentation is not known here: look in its documentation for how message content is captured. What these "
    "conventions call input and output is read: OpenTelemetry GenAI, OpenInference, OpenLLMetry, Vercel AI SDK, "
    "Langfuse, MLflow.",
)


def instrumentation_of(scope: str) -> Instrumentation:
    """Whose spans a scope's are; UNKNOWN where nobody's is known."""
    for instrumentation in INSTRUMENTATIONS:
        for prefix in instrumentation.scopes:
            if scope == prefix or (scope.startswith(prefix) and _continues(prefix, scope)):
                return instrumentation
    return UNKNOWN


def _continues(prefix: str, scope: str) -> bool:
    """Whether the scope goes on with a part of its own: `ai` is not the beginning of `airflow`."""
    return not prefix[-1].isalnum() or not scope[len(prefix)].isalnum()


def endpoint_of(address: str) -> str:
    """Where exporters send to; they append `/v1/traces` and `/v1/logs`."""
    return f"{address.rstrip('/')}/otel"


def environment_of(address: str, key: str = PLACEHOLDER, service: str = EXAMPLE_SERVICE) -> dict[str, str]:
    """Every variable that a process needs, in the order in which people read them.

    address: of this server, as users see it.  key: in plain text, or what stands for it.
    """
    # A header's value is percent-encoded there; the ellipsis of a key that is not shown stays readable.
    header = f"authorization=Bearer%20{quote(key, safe='…')}"
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint_of(address),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": header,
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": f"spectral.agent.id={service}",
        **GEN_AI_CONTENT,
        **OPENLLMETRY_CONTENT,
        **OPENINFERENCE_CONTENT,
    }


def environment_block(environment: Mapping[str, str]) -> str:
    """The variables as lines of an env file; none of their values needs quotes."""
    return "\n".join(f"{name}={value}" for name, value in environment.items())
