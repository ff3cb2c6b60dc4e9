import { afterEach, describe, expect, it, vi } from "vitest";
import { EventParser, followEvents, type ServerEvent, type StreamState } from "@/api/sse";
import { session } from "@/api/session";

const TEXT = 'retry: 100\n\n: keepalive\n\nid: 1\nevent: step\ndata: {"a":\ndata: 1}\n\nid: 2\r\ndata: two\r\n\r\ndata: three\r\r';
const EVENTS = [
  { id: "1", type: "step", data: '{"a":\n1}' },
  { id: "2", type: "message", data: "two" },
  { id: "2", type: "message", data: "three" },
];

describe("a stream of events", () => {
  it.each([1, 2, 3, 7, 1000])("reads the same in pieces of %i characters", (size) => {
    const parser = new EventParser();
    const events: ServerEvent[] = [];
    for (let at = 0; at < TEXT.length; at += size) events.push(...parser.push(TEXT.slice(at, at + size)));
    // What ends with a carriage return may go on with a line feed.
    events.push(...parser.push("\n"));
    expect(events).toEqual(EVENTS);
    expect(parser.retryMs).toBe(100);
  });

  afterEach(() => vi.unstubAllGlobals());

  it("goes on where it broke off, over disconnects and a server that is away", async () => {
    session.begin({ access_token: "token", expires_in: 900 });
    const asked: (string | null)[] = [];
    const answers = [
      () => new Response("id: 1\ndata: one\n\nid: 2\ndata: two\n\nid: 3\ndata: cut o"),
      () => new Response(null, { status: 503, headers: { "Retry-After": "0.01" } }),
      () => {
        throw new TypeError("Failed to fetch");
      },
      () => new Response("id: 3\ndata: three\n\nid: 4\nevent: end\ndata: four\n\n"),
    ];
    vi.stubGlobal("fetch", async (request: Request) => {
      asked.push(request.headers.get("last-event-id"));
      return answers.shift()?.() ?? new Response(null, { status: 500 });
    });
    const events: string[] = [];
    const states: StreamState[] = [];
    await followEvents({
      path: "/api/v1/runs/1/events",
      signal: new AbortController().signal,
      onEvents: (batch) => events.push(...batch.map(({ data }) => data)),
      onState: (state) => states.push(state),
      isLast: ({ type }) => type === "end",
    });
    expect(events).toEqual(["one", "two", "three", "four"]);
    expect(asked).toEqual([null, "2", "2", "2"]);
    expect(states.at(-1)).toBe("ended");
  });

  it("stops at a refusal and says which", async () => {
    vi.stubGlobal("fetch", async () => new Response("{}", { status: 404 }));
    const said: unknown[] = [];
    await followEvents({
      path: "/x",
      signal: new AbortController().signal,
      onEvents: () => undefined,
      onState: (state, error) => said.push([state, error]),
    });
    expect(said.at(-1)).toEqual(["refused", expect.objectContaining({ status: 404 })]);
  });
});
