import { foldGutter } from "@codemirror/language";
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { cn } from "../cn";
import { type EditorLanguage, languageOf } from "./editor-language";
import { diffTheme, editorTheme } from "./editor-theme";
import { lineDiff } from "./line-diff";

export interface DiffViewProps {
  before: string;
  after: string;
  language: EditorLanguage;
  layout: "split" | "unified";
  label: string;
  className?: string;
}

const DIFF = { override: lineDiff };
const COLLAPSE = { margin: 3, minSize: 6 };

export function DiffView({ before, after, language, layout, label, className }: DiffViewProps) {
  const host = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const parent = host.current;
    if (!parent) return;
    const side = (name: string): Extension => [
      lineNumbers(),
      foldGutter(),
      EditorView.lineWrapping,
      EditorState.readOnly.of(true),
      EditorView.editable.of(false),
      EditorView.contentAttributes.of({ "aria-label": name, tabindex: "0", "aria-readonly": "true" }),
      languageOf(language),
      editorTheme,
      diffTheme,
    ];
    if (layout === "split") {
      const view = new MergeView({
        parent,
        a: { doc: before, extensions: side(`${label}, before`) },
        b: { doc: after, extensions: side(`${label}, after`) },
        diffConfig: DIFF,
        collapseUnchanged: COLLAPSE,
        gutter: true,
      });
      return () => view.destroy();
    }
    const view = new EditorView({
      parent,
      doc: after,
      extensions: [
        side(label),
        unifiedMergeView({
          original: before,
          mergeControls: false,
          diffConfig: DIFF,
          collapseUnchanged: COLLAPSE,
          gutter: true,
        }),
      ],
    });
    return () => view.destroy();
  }, [before, after, language, layout, label]);

  return (
    <div
      ref={host}
      role="group"
      aria-label={label}
      className={cn(
        "min-w-0 overflow-auto rounded-md border border-line bg-surface",
        className,
      )}
    />
  );
}
