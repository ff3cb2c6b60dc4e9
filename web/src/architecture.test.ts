import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve, dirname } from "node:path";
import { describe, expect, it } from "vitest";

const SOURCE = resolve(import.meta.dirname);
const MOST_LINES = 600;

function filesIn(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesIn(path) : /\.tsx?$/.test(name) ? [path] : [];
  });
}

const files = filesIn(SOURCE)
  .map((path) => ({ path: relative(SOURCE, path), text: readFileSync(path, "utf8") }))
  .filter(({ path }) => path !== "api/schema.d.ts");

/** The room of a file: `app`, `api`, `components`, or one feature. */
function roomOf(path: string): string {
  const [first = "", second = ""] = path.split("/");
  return first === "features" ? `features/${second}` : first;
}

function importsOf({ path, text }: (typeof files)[number]): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)]
    .map(([, target = ""]) => target)
    .filter((target) => target.startsWith("@/") || target.startsWith("."))
    .map((target) => (target.startsWith("@/") ? target.slice(2) : relative(SOURCE, resolve(SOURCE, dirname(path), target))));
}

const MAY: Record<string, (room: string) => boolean> = {
  api: (room) => room === "api",
  components: (room) => room === "components" || room === "api",
  features: (room) => room === "components" || room === "api",
  app: () => true,
};

describe("the rooms of the page", () => {
  it.each(files)("$path imports what its room may", (file) => {
    const room = roomOf(file.path);
    const may = MAY[room.split("/")[0] ?? ""];
    if (may === undefined) return;
    for (const target of importsOf(file)) {
      expect(may(roomOf(target)) || roomOf(target) === room, `${file.path} imports ${target}`).toBe(true);
    }
  });

  it.each(files)("$path is of a size that one can read", ({ text }) => {
    expect(text.split("\n").length).toBeLessThanOrEqual(MOST_LINES);
  });

  it("exports by name, and nothing for all of a folder", () => {
    for (const { path, text } of files) {
      expect(text, path).not.toMatch(/^export default/m);
      expect(text, path).not.toMatch(/^export \* from/m);
      expect(path).not.toMatch(/(^|\/)index\.tsx?$/);
    }
  });
});
