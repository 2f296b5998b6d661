/**
 * Connect's REST API, which the server passes on below `/v1/connect`: its forms as far as the pages
 * read them, and requests.
 */
import { parseJson, path, Problem, type Query, request } from "./api.ts";
import { type Resource, useReading } from "./use-resource.ts";

/** Settings of a connector. */
export type ConnectConfig = Readonly<Record<string, string>>;

export interface StateView {
  readonly state: string;
  readonly worker_id: string;
  readonly trace?: string;
}

export interface TaskView extends StateView {
  readonly id: number;
}

export interface ConnectorStatus {
  readonly name: string;
  readonly type: string;
  readonly connector: StateView;
  readonly tasks: readonly TaskView[];
}

/** One of `/connectors?expand=status&expand=info`. */
export interface ConnectorEntry {
  readonly status?: ConnectorStatus;
  readonly info?: { readonly config: ConnectConfig };
}

export type ConnectorEntries = Readonly<Record<string, ConnectorEntry>>;

/** What is measured of a task. */
export interface TaskFigures {
  readonly connector: string;
  readonly id: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly gauges: Readonly<Record<string, number>>;
}

export interface PluginView {
  readonly class: string;
  readonly type: string;
  readonly version: string | null;
}

export interface FieldDefinition {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly default_value: string | null;
  readonly importance: string;
  readonly documentation: string;
  readonly group: string | null;
}

export interface FieldInfo {
  readonly definition: FieldDefinition | null;
  readonly value: {
    readonly name: string;
    readonly value: string | null;
    readonly recommended_values: readonly string[];
    readonly errors: readonly string[];
  };
}

export interface ConfigInfos {
  readonly error_count: number;
  readonly configs: readonly FieldInfo[];
}

export type OffsetMap = Readonly<Record<string, string | number | boolean | null>>;

export interface ConnectorOffset {
  readonly partition: OffsetMap;
  readonly offset: OffsetMap | null;
}

/** An address of Connect's API: `connectAt(["connectors", name, "status"])`. */
export function connectAt(parts: readonly (string | number)[], query: Query = {}): string {
  return path(["v1", "connect", ...parts], query);
}

/** Sends a request; what is refused is a `Problem` in the worker's words. */
export async function askConnect(
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  url: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  const response = await request(url, {
    method,
    ...(method !== "GET" && {
      headers: { "content-type": "application/json", "idempotency-key": crypto.randomUUID() },
      body: body === undefined ? null : JSON.stringify(body),
    }),
    ...(signal !== undefined && { signal }),
  });
  const json = parseJson(await response.text());
  if (response.ok) return json;
  const isRefusal = typeof json === "object" && json !== null && "message" in json;
  const words = isRefusal ? String(json.message) : response.statusText;
  throw new Problem(response.status, "The worker refuses", words);
}

async function read<T>(url: string, signal?: AbortSignal): Promise<T> {
  // Workers answer in the forms of Kafka Connect 4.3.
  return await askConnect("GET", url, undefined, signal) as T;
}

const STATUS_TRIES = 50;
const STATUS_PAUSE_MS = 200;

/**
 * Waits, for some ten seconds, until workers tell the status of a connector that was just made: its page
 * would find none (404) before, and not ask again.
 */
export async function statusIsTold(connector: string): Promise<void> {
  const url = connectAt(["connectors"], { expand: "status" });
  for (let i = 0; i < STATUS_TRIES; i++) {
    const told = await read<ConnectorEntries>(url);
    if (told[connector]?.status !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, STATUS_PAUSE_MS));
  }
}

/** Reads a resource, and again each `everyMs`. */
export function useConnect<T>(url: string | null, everyMs = 0): Resource<T> {
  return useReading<string, T>(url, read, everyMs);
}

/** What workers of Java do not tell is nothing. */
export function useFigures(connector: string | null, everyMs: number): readonly TaskFigures[] {
  const query = { scope: "cluster", ...(connector !== null && { connector }) };
  const { data } = useConnect<{ tasks: readonly TaskFigures[] }>(
    connectAt(["admin", "figures"], query),
    everyMs,
  );
  return data?.tasks ?? [];
}

/** Worst first: what a connector as a whole is said to be. */
const ORDER = ["FAILED", "UNASSIGNED", "RESTARTING", "STOPPED", "PAUSED", "RUNNING"];

/** The state of the connector or of its task that is worst off. */
export function worstState({ connector, tasks }: ConnectorStatus): string {
  const states = [connector, ...tasks].map(({ state }) => state);
  return ORDER.find((each) => states.includes(each)) ?? connector.state;
}

/** Of tasks that run: records a second; null: nothing is known. */
export function rateOf(tasks: readonly TaskFigures[]): number | null {
  const rates = tasks.flatMap(({ figures }) =>
    figures["source-record-write-rate"] ?? figures["sink-record-send-rate"] ?? []
  );
  return rates.length === 0 ? null : rates.reduce((sum, each) => sum + each, 0);
}

/** Records behind, of the task that is furthest behind; null: of a source, or not known. */
export function lagOf(tasks: readonly TaskFigures[]): number | null {
  const lags = tasks.flatMap(({ figures }) => figures["sink-record-lag-max"] ?? []);
  return lags.length === 0 ? null : Math.max(...lags);
}

/** Records that were left out since the tasks began. */
export function skippedOf(tasks: readonly TaskFigures[]): number {
  return tasks.reduce((sum, { figures }) => sum + (figures["total-records-skipped"] ?? 0), 0);
}

/** Whether a text is nothing but a reference to a secret. */
export function isReference(text: string): boolean {
  return /^\$\{(?:env|file):[^}]+\}$/.test(text.trim());
}
