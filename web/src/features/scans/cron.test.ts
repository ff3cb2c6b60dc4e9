import { describe, expect, it } from "vitest";
import { cronProblem, cronSentence, zoneProblem } from "./cron";

describe("cronProblem", () => {
  it.each(["0 2 * * *", "30 22 * * mon-fri", "*/5 0-6,12 1,15 JAN-mar *", "0 0 * * 5-0", "5/10 * * * 7", "0  4 *\t* sun"])("takes %s", (text) => {
    expect(cronProblem(text)).toBeNull();
  });

  it.each([
    ["", "has 0"],
    ["0 2 * *", "has 4"],
    ["0 2 * * * *", "has 6"],
    ["60 2 * * *", "minute: 60 is not from 0 to 59"],
    ["0 24 * * *", "hour: 24"],
    ["0 2 0 * *", "day of month: 0"],
    ["0 2 * 13 *", "month: 13"],
    ["0 2 * * 8", "day of week: 8"],
    ["0 2 * * funday", "funday"],
    ["0 5-2 * * *", "ends before it begins"],
    ["*/0 * * * *", "a step is at least 1"],
    ["0 2,, * * *", "no number"],
    ["*-5 * * * *", "no number"],
    ["@daily", "has 1"],
  ])("refuses %s", (text, why) => {
    expect(cronProblem(text)).toContain(why);
  });
});

describe("cronSentence", () => {
  it.each([
    ["0 2 * * *", "Every day at 02:00"],
    ["5 * * * *", "Every hour, 5 min past"],
    ["30 22 * * mon-fri", "Monday to Friday at 22:30"],
    ["0 4 * * sun,3", "Every Sunday, Wednesday at 04:00"],
    ["0 2 1 * *", null],
    ["*/5 * * * *", null],
    ["nonsense", null],
  ])("%s: %s", (text, said) => {
    expect(cronSentence(text)).toBe(said);
  });
});

describe("zoneProblem", () => {
  it("takes names of the IANA and nothing else", () => {
    expect(zoneProblem("Europe/Berlin")).toBeNull();
    expect(zoneProblem("UTC")).toBeNull();
    for (const name of ["", "Nowhere/Town", "+02:00"]) expect(zoneProblem(name)).not.toBeNull();
  });
});
