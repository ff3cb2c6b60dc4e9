import { describe, expect, it } from "vitest";
import { configText } from "./config-text";
import type { Change } from "./evidence-types";
import { lineCounts, operationsInWords } from "./operations-in-words";

const change = (operation: Change["operation"], pointer: string, rest: Partial<Change> = {}): Change => ({
  operation,
  pointer,
  before: null,
  after: null,
  text_diff: null,
  flags: [],
  ...rest,
});

describe("operationsInWords", () => {
  it("tells neighbours of one list as one, with all that they were flagged for", () => {
    const examples = Array.from({ length: 48 }, (_, index) =>
      change("add", `/few_shot/${index}`, { flags: index === 3 ? ["url"] : [] }),
    );
    const [text, added, ...others] = operationsInWords([
      change("replace", "/prompts/main/messages/0/content", { before: "a".repeat(1118), after: "b".repeat(2435) }),
      ...examples,
    ]);
    expect(text?.words).toBe("replaces a text of 1,118 characters by one of 2,435");
    expect(text?.pointer).toBe("/prompts/main/messages/0/content");
    expect(added).toMatchObject({ words: "adds 48 few-shot examples", pointer: "/few_shot/0 … /47", flags: ["url"] });
    expect(others).toEqual([]);
  });

  it("does not join what is added to what is removed, nor two lists", () => {
    const told = operationsInWords([
      change("remove", "/tools/0"),
      change("add", "/few_shot/0"),
      change("add", "/prompts/main/messages/2"),
    ]);
    expect(told.map((one) => one.words)).toEqual(["removes 1 tool", "adds 1 few-shot example", "adds 1 message"]);
  });

  it("says short values themselves", () => {
    const [temperature, model] = operationsInWords([
      change("replace", "/parameters/temperature", { before: 0, after: 0.7 }),
      change("add", "/custom/tone", { after: "polite" }),
    ]);
    expect(temperature?.words).toBe("replaces 0 by 0.7");
    expect(model?.words).toBe('adds "polite"');
  });

  it("counts lines without the header of a diff", () => {
    expect(lineCounts("--- before\n+++ after\n@@ -1 +1,2 @@\n-a\n+b\n+c\n d")).toEqual({ added: 2, removed: 1 });
    expect(lineCounts(null)).toBeNull();
  });
});

describe("configText", () => {
  it("writes texts of several lines as blocks, so that their lines can be compared", () => {
    const document = {
      prompts: { main: { messages: [{ role: "system", content: "One of:\n- billing\n\nNothing else." }] } },
      model: "spectral-local/small",
      few_shot: [],
      custom: { "a key": "true", tab: "a\tb\nc", number: 1.5, none: null },
    };
    expect(configText(document)).toBe(
      [
        "prompts:",
        "  main:",
        "    messages:",
        "      - role: system",
        "        content: |-",
        "          One of:",
        "          - billing",
        "",
        "          Nothing else.",
        "model: spectral-local/small",
        "few_shot: []",
        "custom:",
        '  a key: "true"',
        '  tab: "a\\tb\\nc"',
        "  number: 1.5",
        "  none: null",
        "",
      ].join("\n"),
    );
  });
});
