/** Whether what a module exports is a connector: users' modules are not taken at their word. */
import { OperatorError } from "../../core/operator-error.ts";
import type { Fields } from "../config/fields.ts";
import type { ConnectorDefinition, Delivery } from "../connector.ts";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** What a connector may promise. */
export const DELIVERIES: readonly Delivery[] = [
  "at-most-once",
  "at-least-once",
  "exactly-once",
];
const METHODS = [
  "check",
  "probe",
  "tasks",
  "watch",
  "checkOffsets",
  "whyNotExactlyOnce",
] as const;

/** The definition that a module has as its default export. Throws an `OperatorError` that says what lacks. */
export function definitionOf(exported: unknown): ConnectorDefinition {
  const problem = problemOf(exported);
  if (problem !== null) {
    const hint = "export default defineSource({ … }) or defineSink({ … }) of kstream/connect";
    throw new OperatorError(problem, "", hint);
  }
  // All that the type says has just been looked at, as far as values can tell.
  return exported as ConnectorDefinition;
}

function problemOf(exported: unknown): string | null {
  if (exported === undefined) return "it has no default export";
  if (!isRecord(exported)) return "its default export is no connector";
  const { kind, name, version, doc, config, delivery, needs, aliases, dynamicKeys } = exported;
  if (kind !== "source" && kind !== "sink") return "its default export is no connector";
  if (typeof name !== "string" || !NAME.test(name)) {
    return "its name is none: letters, digits, dots and hyphens";
  }
  if (typeof version !== "string") return `${name} has no version`;
  if (typeof doc !== "string") return `${name} has no doc`;
  if (!DELIVERIES.some((known) => known === delivery)) {
    return `delivery of ${name} is none of ${DELIVERIES.join(", ")}`;
  }
  if (needs !== undefined && needs !== "exec") return `${name} needs what nobody knows`;
  for (const [what, texts] of Object.entries({ aliases, dynamicKeys })) {
    if (texts === undefined) continue;
    const isTexts = Array.isArray(texts) && texts.every((text) => typeof text === "string");
    if (!isTexts) return `${what} of ${name} are no list of texts`;
  }
  if (!isRecord(config)) return `${name} has no config`;
  const wrong = Object.entries(config).find(([, field]) => !isField(field));
  if (wrong !== undefined) return `"${wrong[0]}" of ${name}'s config is no field`;
  for (const method of METHODS) {
    const value = exported[method];
    if (value !== undefined && typeof value !== "function") {
      return `${method} of ${name} is no function`;
    }
  }
  const work = kind === "source" ? "read" : "open";
  return typeof exported[work] === "function" ? null : `${name} has no ${work}()`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isField(value: unknown): value is Fields[string] {
  if (!isRecord(value) || !isRecord(value["parts"])) return false;
  const { type, read, show, doc } = value["parts"];
  return typeof type === "string" && typeof read === "function" && typeof show === "function" &&
    typeof doc === "string";
}
