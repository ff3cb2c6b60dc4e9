import { ArrowUp, Plus, Trash2 } from "lucide-react";
import type { FieldProblem } from "@/api/problems";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Select } from "@/components/ui/select";
import { Textarea } from "@/components/ui/textarea";
import type { Message } from "./messages";

export interface MessageEditorProps {
  messages: readonly Message[];
  onMessagesChange: (messages: Message[]) => void;
  /** Pointers begin with `/messages`. */
  errors: readonly FieldProblem[];
}

const ROLES = [
  { value: "system", label: "system" },
  { value: "user", label: "user" },
  { value: "assistant", label: "assistant" },
] as const;

export function MessageEditor({ messages, onMessagesChange, errors }: MessageEditorProps) {
  const change = (index: number, message: Message) => onMessagesChange(messages.map((one, place) => (place === index ? message : one)));
  const remove = (index: number) => onMessagesChange(messages.filter((_, place) => place !== index));
  const raise = (index: number) => {
    const next = [...messages];
    next.splice(index - 1, 0, ...next.splice(index, 1));
    onMessagesChange(next);
  };
  return (
    <div className="flex flex-col gap-3">
      {messages.map((message, index) => (
        <div key={index} className="flex flex-col gap-1.5 rounded-md border border-line p-2.5">
          <div className="flex items-center gap-1.5">
            <Select<Message["role"]>
              label={`Role of message ${index + 1}`}
              size="sm"
              className="w-32"
              value={message.role}
              onValueChange={(role) => change(index, { ...message, role })}
              options={ROLES}
            />
            <span className="flex-1" />
            <Button size="icon" variant="ghost" aria-label={`Move message ${index + 1} up`} title="Move up" disabled={index === 0} onClick={() => raise(index)}>
              <ArrowUp aria-hidden />
            </Button>
            <Button
              size="icon"
              variant="ghost"
              aria-label={`Remove message ${index + 1}`}
              title="Remove"
              disabled={messages.length === 1}
              onClick={() => remove(index)}
            >
              <Trash2 aria-hidden />
            </Button>
          </div>
          <Field
            label={<span className="sr-only">Content of message {index + 1}</span>}
            error={errors.filter(({ pointer }) => pointer.startsWith(`/messages/${index}/`)).map(({ detail }) => detail).join("; ") || undefined}
          >
            {(control) => (
              <Textarea
                {...control}
                rows={Math.min(18, Math.max(3, message.content.split("\n").length + 1))}
                className="font-mono text-xs"
                value={message.content}
                onChange={(event) => change(index, { ...message, content: event.target.value })}
              />
            )}
          </Field>
        </div>
      ))}
      <Button size="sm" className="self-start" onClick={() => onMessagesChange([...messages, { role: "user", content: "" }])}>
        <Plus aria-hidden />
        Add a message
      </Button>
    </div>
  );
}
