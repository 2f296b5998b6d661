/** What clients send: JSON in the forms of Connect's REST API. All throw `HerderError` (400). */
import { z } from "zod";
import type { RawConfig } from "../config/parse.ts";
import { stringEntries } from "../config/string-map.ts";
import { isSourceMap } from "../data/record.ts";
import type { SourceMap } from "../data/record.ts";
import { badRequest, HerderError } from "../herder/errors.ts";
import type { TargetState } from "../worker/status.ts";
import type { ConnectorOffset } from "../worker/worker.ts";

const sourceMap = z.custom<SourceMap>(isSourceMap, "a map of strings, numbers and booleans");
const offsetsBody = z.looseObject({
  offsets: z.array(z.looseObject({ partition: sourceMap, offset: sourceMap.nullish() })).nullish(),
});
const createBody = z.strictObject({
  name: z.string().nullish(),
  config: z.unknown(),
  initial_state: z.string().nullish(),
});
const levelBody = z.looseObject({ level: z.string().nullish() });

const STATES = { RUNNING: "STARTED", PAUSED: "PAUSED", STOPPED: "STOPPED" } as const;

/** The body as JSON; another type is refused (415). */
export function readJson(request: Request, text: string): unknown {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") throw new HerderError(415, "HTTP 415 Unsupported Media Type");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body is no JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function parse<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.map(String).join(".") ?? "";
  throw badRequest(
    `the body is not ${what}: ${where === "" ? "" : `"${where}": `}${issue?.message ?? ""}`,
  );
}

/**
 * A config with null values, which a patch may have. A number or a boolean stands for its text, as
 * Jackson reads a map of strings.
 */
export function parsePatch(body: unknown): Readonly<Record<string, string | null>> {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) {
    const entries = Object.entries(body).map(([key, value]) => [key, scalarText(value)] as const);
    const texts = stringEntries(Object.fromEntries(entries));
    if (texts !== null) return Object.fromEntries(texts);
  }
  throw badRequest("a config is a map of strings");
}

function scalarText(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
}

export function parseConfigBody(body: unknown): RawConfig {
  const entries = Object.entries(parsePatch(body));
  const missing = entries.find(([, value]) => value === null);
  if (missing !== undefined) {
    throw badRequest(`"${missing[0]}" is null: leave it out, or give it a value`);
  }
  return Object.fromEntries(
    entries.flatMap(([key, value]) => value === null ? [] : [[key, value]]),
  );
}

export interface CreateRequest {
  readonly name: string;
  readonly config: RawConfig;
  readonly initialState: TargetState | null;
}

/** What is posted to make a connector (KIP-980 for its state). */
export function parseCreate(body: unknown): CreateRequest {
  const parsed = parse(createBody, body, "a name and a config");
  if (parsed.config === null || parsed.config === undefined) {
    throw badRequest('"config" is missing: the settings of the connector');
  }
  return {
    name: (parsed.name ?? "").trim(),
    config: parseConfigBody(parsed.config),
    initialState: initialState(parsed.initial_state ?? null),
  };
}

function initialState(text: string | null): TargetState | null {
  if (text === null) return null;
  const upper = text.toUpperCase();
  if (upper === "RUNNING" || upper === "PAUSED" || upper === "STOPPED") return STATES[upper];
  throw badRequest(`"initial_state" is RUNNING, PAUSED or STOPPED, not "${text}"`);
}

export function parseOffsets(body: unknown): ConnectorOffset[] {
  const { offsets } = parse(offsetsBody, body, "a list of offsets");
  if (offsets === null || offsets === undefined || offsets.length === 0) {
    throw badRequest("Partitions / offsets need to be provided for an alter offsets request");
  }
  return offsets.map(({ partition, offset = null }) => ({ partition, offset }));
}

/** The level that a logger is to have. */
export function parseLevel(body: unknown): string | null {
  return parse(levelBody, body, "a level").level ?? null;
}

export function parseTaskConfigs(body: unknown): RawConfig[] {
  return parse(z.array(z.unknown()), body, "a list of configs").map(parseConfigBody);
}
