import { describe, expect, it } from "vitest";
import { ownPath, signInSearch } from "@/features/auth/search";

describe("where somebody goes after signing in", () => {
  it.each(["/w/1/traces?q=a#b", "/", "/account/sessions"])("is a path of this site: %s", (path) => {
    expect(ownPath(path)).toBe(path);
  });

  it.each(["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "w/1", "/\t/evil.example", ""])(
    "is never somebody else's: %j",
    (path) => {
      expect(ownPath(path)).toBeUndefined();
      expect(signInSearch({ next: path }).next).toBeUndefined();
    },
  );
});
