import { useRef } from "react";
import { idempotencyKey } from "@/api/client";

/** The idempotency key of what is about to be sent: the same for the same body, another one once it was changed. */
export function useIntentKey(): (body: unknown) => string {
  const last = useRef({ said: "", key: "" });
  return (body) => {
    const said = JSON.stringify(body);
    if (said !== last.current.said) last.current = { said, key: idempotencyKey() };
    return last.current.key;
  };
}
