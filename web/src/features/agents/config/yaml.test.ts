import { describe, expect, it } from "vitest";
import { diagnose } from "./diagnostics";
import { readYaml } from "./yaml-read";
import { type Json, writeYaml } from "./yaml-write";

const VALUES: Json[] = [
  null,
  {},
  [],
  "",
  { model: "spectral-local/small", parameters: { temperature: 0, top_p: 0.95, stop: [] }, custom: {} },
  { prompts: { main: { messages: [{ role: "system", content: "One\n\n  two\nthree" }, { role: "user", content: "{{ticket}}" }], variables: ["ticket"] } } },
  { few_shot: [{ input: { ticket: "a: b # c" }, output: "billing" }, { input: "x", output: { a: [1, [2, { b: null }]] } }] },
  ["true", "no", "null", "~", "12", "1e3", "- x", "a: b", "#", "x #y", " lead", "trail ", "it's", 'say "x"', "é 😀", "\t", "*a", "&a", "!a", "@a", "%a", "`"],
  { texts: ["a\n", "a\n\n\n", "a\nb", "\na", "  a\nb", "a\n\tb", "a\r\nb", "\n", "a  \nb\t", "- a\n- b: c\n# d", "a\u2028\nb", "--- \n..."] },
  { "": 1, "a b": 2, "c:d": 3, "{x}": 4, __proto__x: 5, "no": 6, "7": 7, "a/b~c": 8, "multi\nline": "x\ny\n" },
  [["a\nb\n"], [["c\nd"]], { deep: { deeper: [{ text: "e\n\nf\n\n" }, "g"] } }],
];

describe("YAML of a config", () => {
  it.each(VALUES.map((value) => [JSON.stringify(value), value] as const))("reads back %s", (_name, value) => {
    const { value: read, problems } = readYaml(writeYaml(value));
    expect(problems).toEqual([]);
    expect(read).toEqual(value);
  });

  it.each(VALUES.map((value) => [JSON.stringify(value, null, 2), value] as const))("reads JSON %s", (json, value) => {
    expect(readYaml(json)).toMatchObject({ value, problems: [] });
  });

  it("shows a prompt line by line", () => {
    expect(writeYaml({ content: "Sort the ticket.\nAnswer with one word.", variables: ["a", "b"] })).toBe(
      "content: |-\n  Sort the ticket.\n  Answer with one word.\nvariables: [a, b]\n",
    );
  });

  it("reads what people write: comments, folded and quoted texts over several lines, indicators", () => {
    const text = "# head\na: >-\n  one\n  two\n\n  three # kept\nb: 'it''s\n  fine'\nc: |2-\n    x\n  y\nd: \"tab\\tand \\\n  on\" # note\ne:\n- 1\n- .5\n";
    expect(readYaml(text)).toMatchObject({
      value: { a: "one two\nthree # kept", b: "it's fine", c: "  x\ny", d: "tab\tand on", e: [1, 0.5] },
      problems: [],
    });
  });

  it("says where it cannot be read", () => {
    const said = (text: string) => readYaml(text).problems.map(({ from, message }) => [text.slice(from).split("\n")[0], message]);
    expect(said("a: [1, 2")[0]?.[1]).toContain("well-formed");
    expect(said("a: {{ticket}}\n")[0]).toEqual(["{ticket}}", "a text with {{…}} needs quotes around it"]);
    expect(said("a: 1\na: 2")).toEqual([["a: 2", "“a” stands here twice"]]);
    expect(said("a: &x 1\nb: *x")).toHaveLength(2);
    expect(said("a: 1\n---\nb: 2")[0]?.[1]).toContain("one document");
  });

  it("knows the place of each pointer", () => {
    const text = "model: x\nprompts:\n  main:\n    messages:\n      - role: user\n        content: |\n          hi\n'a/b': [1, 22]\n";
    const { places } = readYaml(text);
    const at = (pointer: string) => {
      const range = places.get(pointer);
      return range && text.slice(range.from, range.to);
    };
    expect(at("/model")).toBe("model: x");
    expect(at("/prompts/main/messages/0/content")).toBe("content");
    expect(at("/prompts/main/messages/0")).toBe(" role: user");
    expect(at("/a~1b/1")).toBe("22");
  });
  it("puts what the server refused on the line of its pointer, or of what is around it", () => {
    const text = "model: ''\nprompts:\n  main:\n    messages:\n      - role: user\n        content: x\n";
    const refused = [
      { pointer: "/config/prompts/main/messages/0/content", detail: "wrong" },
      { pointer: "/config/prompts/main/variables/0", detail: "unused" },
      { pointer: "/note", detail: "too long" },
    ];
    const found = diagnose(text, readYaml(text), refused, "/config");
    expect(found.map(({ line, column, endColumn, message }) => [line, column, endColumn, message])).toEqual([
      [6, 9, 19, "wrong"],
      [3, 3, 7, "/prompts/main/variables/0: unused"],
      [1, 1, 1, "too long"],
    ]);
  });
});
