import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import type { Extension } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const MONO = '"JetBrains Mono Variable", ui-monospace, monospace';
const SANS = '"Inter Variable", ui-sans-serif, system-ui, sans-serif';

// Colours are the page's own variables: a change of theme needs no new editor.
const surface = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--surface)", fontSize: "0.75rem", height: "100%" },
  "&.cm-focused": { outline: "none" },
  // What stands there is what is sent: "|-" and "->" stay two signs.
  ".cm-scroller": { fontFamily: MONO, fontVariantLigatures: "none", lineHeight: "1.25rem", overflow: "auto" },
  ".cm-content": { padding: "0.5rem 0", caretColor: "var(--accent)" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--accent)" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--muted)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { padding: "0 0.5rem 0 0.75rem", minWidth: "2.25rem" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 7%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 25%, transparent)",
  },
  ".cm-foldGutter .cm-gutterElement": { padding: "0 0.25rem" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--sunken)", borderColor: "var(--line)", color: "var(--muted)" },
  ".cm-matchingBracket": { backgroundColor: "var(--selected)", outline: "none" },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    border: "1px solid var(--line)",
    borderRadius: "6px",
    boxShadow: "var(--shadow)",
  },
  ".cm-diagnostic": { fontFamily: SANS, fontSize: "0.75rem", padding: "0.25rem 0.5rem" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderLeft: "3px solid var(--warn)" },
  ".cm-diagnostic-info": { borderLeft: "3px solid var(--info)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warn)" },
  ".cm-lintRange-info": { backgroundImage: "none", textDecoration: "underline wavy var(--info)" },
  ".cm-gutter-lint": { width: "0.9rem" },
  ".cm-placeholder": { color: "var(--muted)" },
});

const highlighting = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.attributeName], color: "var(--info)" },
  { tag: [tags.string, tags.special(tags.string), tags.content], color: "var(--text)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--warn)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.keyword, tags.typeName, tags.labelName, tags.meta], color: "var(--series-1)" },
  { tag: [tags.separator, tags.punctuation, tags.squareBracket, tags.brace], color: "var(--muted)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

export const editorTheme: Extension = [surface, syntaxHighlighting(highlighting)];

/** Additions green, removals red, and what is folded between them quiet. */
export const diffTheme: Extension = EditorView.theme({
  "&.cm-merge-b .cm-changedLine, .cm-changedLine": { backgroundColor: "var(--good-soft)" },
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "var(--bad-soft)" },
  "&.cm-merge-b .cm-changedText, .cm-changedLine .cm-changedText": changedText("good"),
  "&.cm-merge-a .cm-changedText, .cm-deletedChunk .cm-deletedText": changedText("bad"),
  "&.cm-merge-b .cm-changedLineGutter, .cm-changedLineGutter": { background: "var(--good)" },
  "&.cm-merge-a .cm-changedLineGutter, .cm-deletedLineGutter": { background: "var(--bad)" },
  ".cm-deletedChunk": { paddingLeft: "6px" },
  ".cm-collapsedLines": {
    background: "var(--sunken)",
    color: "var(--muted)",
    fontFamily: SANS,
    fontSize: "0.75rem",
    padding: "0.25rem 0.75rem",
    borderBlock: "1px solid var(--line)",
    // The signs that it has by itself are in no font of the page.
    "&:before, &:after": { display: "none" },
  },
});

// Mostly an underline: a darker ground would take the contrast from the text.
function changedText(tone: "good" | "bad") {
  const ground = `color-mix(in srgb, var(--${tone}) 8%, transparent)`;
  return { background: `linear-gradient(var(--${tone}), var(--${tone})) bottom/100% 1.5px no-repeat, ${ground}` };
}
