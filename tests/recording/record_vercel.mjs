// Runs the Vercel AI SDK against the stub providers and sends its spans to the sink:
// `node record_vercel.mjs PROVIDERS_URL SINK_URL SCENARIO`, in a folder with the packages that README.md names.
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { createOpenAI } from "@ai-sdk/openai";
import * as ai from "ai";
import { z } from "zod";

const [providersUrl, sinkUrl, scenario] = process.argv.slice(2);
const exporter = new OTLPTraceExporter({ url: `${sinkUrl}/v1/traces` });
const resource = resourceFromAttributes({ "service.name": "recorded" });
const provider = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter)] });
provider.register();
if (ai.registerTelemetry) {
  const { OpenTelemetry } = await import("@ai-sdk/otel");
  ai.registerTelemetry(new OpenTelemetry());
}

const openai = createOpenAI({ baseURL: `${providersUrl}/v1`, apiKey: "none" });
const telemetry = {
  isEnabled: true,
  functionId: "weather",
  metadata: { userId: "user-1", sessionId: "session-1" },
};
const common = { experimental_telemetry: telemetry, telemetry, maxRetries: 0, system: "Answer briefly." };
const weather = ai.tool({
  description: "The weather in a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const scenarios = {
  chat: () => ai.generateText({ ...common, model: openai.chat("gpt-5-mini"), prompt: "How is Paris?" }),
  tools: () =>
    ai.generateText({
      ...common,
      model: openai("gpt-5-mini"),
      prompt: "What is the weather in Paris?",
      tools: { get_weather: weather },
      stopWhen: ai.stepCountIs ? ai.stepCountIs(3) : ai.isStepCount(3),
    }),
  stream: async () => {
    const result = ai.streamText({ ...common, model: openai("gpt-5-mini"), prompt: "How is Paris?" });
    for await (const _ of result.textStream);
  },
  embeddings: () =>
    ai.embed({ ...common, model: (openai.embedding ?? openai.textEmbeddingModel)("text-embedding-3-small"), value: "Paris" }),
  error: () => ai.generateText({ ...common, model: openai.chat("gpt-5-mini"), prompt: "fail" }).catch(() => null),
};
await scenarios[scenario]();
await provider.forceFlush();
await provider.shutdown();
