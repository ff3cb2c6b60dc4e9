import { yaml } from "@codemirror/lang-yaml";
import type { Extension } from "@codemirror/state";

export type EditorLanguage = "yaml" | "json" | "text";

/** JSON is YAML too, so that one grammar serves both. */
export function languageOf(language: EditorLanguage): Extension {
  return language === "text" ? [] : yaml();
}
