import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput } from "@codemirror/language";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState, type Text } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { cn } from "../cn";
import { type EditorLanguage, languageOf } from "./editor-language";
import { editorTheme } from "./editor-theme";

export interface EditorDiagnostic {
  /** From 1. */
  line: number;
  /** From 1. */
  column: number;
  endLine?: number;
  endColumn?: number;
  message: string;
  severity: "error" | "warning" | "info";
}

export interface CodeEditorProps {
  value: string;
  onChange?: (value: string) => void;
  language: EditorLanguage;
  readOnly?: boolean;
  diagnostics?: readonly EditorDiagnostic[];
  label: string;
  /** In pixels. */
  minHeight?: number;
  /** ⌘S or Ctrl+S. */
  onSave?: () => void;
  /** `h-full` makes it scroll inside; without a height it grows with its text. */
  className?: string;
  id?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean;
}

/** Tab leaves the editor, as everywhere on the page; the indentation follows the line above. */
export function CodeEditor({
  value,
  onChange,
  language,
  readOnly = false,
  diagnostics,
  label,
  minHeight = 120,
  onSave,
  className,
  id,
  "aria-describedby": describedBy,
  "aria-invalid": invalid,
}: CodeEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef({ onChange, onSave, value });
  useEffect(() => {
    latest.current = { onChange, onSave, value };
  });
  const parts = useRef({ language: new Compartment(), access: new Compartment(), attributes: new Compartment() });

  useEffect(() => {
    if (!host.current) return;
    const { language: languagePart, access, attributes } = parts.current;
    const editor = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: latest.current.value,
        extensions: [
          lineNumbers(),
          foldGutter(),
          lintGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          highlightActiveLine(),
          EditorView.lineWrapping,
          keymap.of([
            {
              key: "Mod-s",
              preventDefault: true,
              run: () => {
                latest.current.onSave?.();
                return latest.current.onSave !== undefined;
              },
            },
            ...defaultKeymap,
            ...historyKeymap,
            ...foldKeymap,
            ...lintKeymap,
          ]),
          languagePart.of([]),
          access.of([]),
          attributes.of([]),
          editorTheme,
          EditorView.updateListener.of((update) => {
            if (!update.docChanged) return;
            const text = update.state.doc.toString();
            if (text !== latest.current.value) latest.current.onChange?.(text);
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: parts.current.language.reconfigure(languageOf(language)) });
  }, [language]);

  useEffect(() => {
    const extension = [EditorState.readOnly.of(readOnly), EditorView.editable.of(!readOnly)];
    view.current?.dispatch({ effects: parts.current.access.reconfigure(extension) });
  }, [readOnly]);

  useEffect(() => {
    // What cannot be edited still scrolls and is still read by keyboard.
    const attributes: Record<string, string> = { "aria-label": label, tabindex: "0" };
    if (id) attributes.id = id;
    if (describedBy) attributes["aria-describedby"] = describedBy;
    if (invalid) attributes["aria-invalid"] = "true";
    if (readOnly) attributes["aria-readonly"] = "true";
    view.current?.dispatch({
      effects: parts.current.attributes.reconfigure(EditorView.contentAttributes.of(attributes)),
    });
  }, [label, id, describedBy, invalid, readOnly]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    editor.dispatch(setDiagnostics(editor.state, placed(editor.state.doc, diagnostics ?? [])));
  }, [diagnostics, value]);

  return (
    <div
      ref={host}
      style={{ minHeight }}
      className={cn(
        "flex min-w-0 flex-col overflow-hidden rounded-md border bg-surface *:min-h-0 *:flex-1",
        "focus-within:outline-2 focus-within:-outline-offset-1 focus-within:outline-accent",
        readOnly ? "border-line" : "border-line-strong/70",
        invalid && "border-bad",
        className,
      )}
    />
  );
}

function placed(doc: Text, diagnostics: readonly EditorDiagnostic[]): Diagnostic[] {
  const offset = (line: number, column: number) => {
    const at = doc.line(Math.min(Math.max(1, line), doc.lines));
    return Math.min(at.from + Math.max(0, column - 1), at.to);
  };
  return diagnostics
    .map(({ line, column, endLine, endColumn, message, severity }) => {
      const from = offset(line, column);
      const toLineEnd = doc.lineAt(from).to;
      const to = endLine !== undefined || endColumn !== undefined ? offset(endLine ?? line, endColumn ?? column) : toLineEnd;
      return { from, to: Math.max(from, to), message, severity };
    })
    .sort((a, b) => a.from - b.from);
}
