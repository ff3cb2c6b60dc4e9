import { describe, expect, it } from "vitest";
import { csvRecords, formatOf, previewCsv, previewJsonl } from "./file-preview";

describe("csvRecords", () => {
  it("reads quotes, commas and line breaks inside of them, and knows on which line a record starts", () => {
    expect(csvRecords('a,b\r\n"x, ""y""","1\n2"\n\nlast,')).toEqual([
      { line: 1, cells: ["a", "b"] },
      { line: 2, cells: ['x, "y"', "1\n2"] },
      { line: 5, cells: ["last", ""] },
    ]);
  });
});

describe("previewCsv", () => {
  it("makes objects of nested columns and leaves empty cells out", () => {
    const { rows, problems } = previewCsv("\uFEFFinput.ticket,input.mail,expected,metadata.channel\nHelp,,login,web\n", false);
    expect(problems).toEqual([]);
    expect(rows).toEqual([{ line: 2, input: { ticket: "Help" }, expected: "login", metadata: { channel: "web" } }]);
  });

  it("names what the server would refuse", () => {
    const { problems } = previewCsv("input,wanted\nonly one\n", false);
    expect(problems).toEqual([
      { line: 1, detail: "columns that are not known: wanted" },
      { line: 2, detail: "has 1 cells, the header has 2" },
    ]);
    expect(previewCsv("question,answer\na,b", false).problems[0]?.detail).toMatch("no input column");
  });

  it("does not judge the record that the piece cuts off", () => {
    expect(previewCsv('input,expected\na,b\n"half of', true)).toMatchObject({ read: 1, problems: [] });
  });
});

describe("previewJsonl", () => {
  it("counts lines as the server does and drops the line that is cut off", () => {
    const text = '{"input": "a", "expected": "b"}\n\n[1]\n{"expected": 1}\nnope\n{"input": {"half';
    const preview = previewJsonl(text, true);
    expect(preview.rows).toEqual([{ line: 1, input: "a", expected: "b", metadata: {} }]);
    expect(preview.read).toBe(4);
    expect(preview.problems).toEqual([
      { line: 3, detail: "is not a JSON object" },
      { line: 4, detail: "has no input" },
      { line: 5, detail: "is not valid JSON" },
    ]);
  });
});

it("tells formats by the name of the file", () => {
  expect([formatOf("a.CSV"), formatOf("b.ndjson"), formatOf("c.jsonl"), formatOf("d.json")]).toEqual(["csv", "jsonl", "jsonl", null]);
});
