import { describe, expect, it } from "vitest";
import { fieldsOfInput, inputOfFields, inputOfJson, variablesOf } from "./input";

const prompt = (content: string, variables?: string[]) => ({ messages: [{ role: "user", content }], ...(variables ? { variables } : {}) });

describe("the variables of a config", () => {
  it("are those of the prompt that is executed: main, or the only one", () => {
    expect(variablesOf({ prompts: { other: prompt("{{x}}", ["x"]), main: prompt("{{ticket}} {{ lang }}", ["ticket", "lang"]) } })).toEqual(["ticket", "lang"]);
    expect(variablesOf({ prompts: { only: prompt("{{a}}", ["a"]) } })).toEqual(["a"]);
  });

  it("are read off a draft that declares none, without escaped braces and misnamed ones, each once", () => {
    expect(variablesOf({ prompts: { main: prompt("{{a}} \\{{b}} {{ c }} {{a}} {{d e}}") } })).toEqual(["a", "c"]);
  });

  it("are none where the draft is no config yet", () => {
    for (const broken of [null, "x", {}, { prompts: [] }, { prompts: { main: 3 } }, { prompts: { main: { messages: [null] } } }]) {
      expect(variablesOf(broken)).toEqual([]);
    }
  });
});

describe("the input of the playground", () => {
  it("is made of fields, all of which are needed", () => {
    expect(inputOfFields(["a", "b"], { a: "1", b: "[2]", gone: "x" })).toEqual({ ok: true, value: { a: "1", b: "[2]" } });
    expect(inputOfFields(["a", "b"], { a: "1" })).toEqual({ ok: false, problem: "Missing: b" });
  });

  it("is any JSON that gives every variable a value", () => {
    expect(inputOfJson('{"a": [1], "more": 2}', ["a"])).toEqual({ ok: true, value: { a: [1], more: 2 } });
    expect(inputOfJson('"text"', ["a"])).toEqual({ ok: true, value: "text" });
    expect(inputOfJson("[1]", [])).toEqual({ ok: true, value: [1] });
    expect(inputOfJson('{"x": 1}', ["input"])).toMatchObject({ ok: true });
    expect(inputOfJson('{"b": 1}', ["a", "b", "c"])).toMatchObject({ ok: false, problem: expect.stringContaining("a, c") as string });
    expect(inputOfJson('"text"', ["a", "b"])).toMatchObject({ ok: false });
    expect(inputOfJson("hello", ["a"])).toMatchObject({ ok: false, problem: expect.stringContaining("Not JSON") as string });
    expect(inputOfJson(" ", [])).toMatchObject({ ok: false });
  });

  it("goes back into fields only where nothing is lost", () => {
    expect(fieldsOfInput({ a: "x" }, ["a"])).toEqual({ a: "x" });
    expect(fieldsOfInput("x", ["a"])).toEqual({ a: "x" });
    expect(fieldsOfInput({ a: 1 }, ["a"])).toBeNull();
    expect(fieldsOfInput({ a: "x", b: "y" }, ["a"])).toBeNull();
    expect(fieldsOfInput([1], ["a"])).toBeNull();
    expect(fieldsOfInput("x", [])).toBeNull();
  });
});
