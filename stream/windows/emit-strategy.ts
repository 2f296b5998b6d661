/** When what was added up in a window is given on (Kafka's `EmitStrategy`, KIP-825). */
import { requireMs } from "./time-windows.ts";

export type EmitStrategy =
  | { readonly kind: "on-update" }
  | { readonly kind: "on-close"; readonly intervalMs: number };

/** At each change, or at commits where changes are gathered. That is the default. */
export function onWindowUpdate(): EmitStrategy {
  return { kind: "on-update" };
}

/**
 * Once, when the window and its grace are over. Windows are looked for at records only, and at most every
 * `intervalMs` of the wall clock; default: 1000.
 */
export function onWindowClose(
  { intervalMs = 1000 }: { readonly intervalMs?: number } = {},
): EmitStrategy {
  requireMs("intervalMs", intervalMs, 0);
  return { kind: "on-close", intervalMs };
}
