/**
 * The configs of a subscription to client metrics (KIP-714, Kafka's `ClientMetricsConfigs`): which
 * metrics are wanted, how often, and of which clients.
 */
import { compileRegex, type Regex } from "../../core/regex.ts";
import { Errors } from "../../core/errors.ts";
import { type Refusal, refuse } from "../outcome.ts";
import type { ConfigTexts } from "./broker-config.ts";
import { type ConfigDefinition, intConfig, listConfig } from "./definitions.ts";
import { parseConfigValue } from "./values.ts";

/** Kafka's configs of client metrics by name. */
export const CLIENT_METRICS_CONFIGS = {
  "metrics": listConfig("", null, "MEDIUM"),
  "interval.ms": intConfig("300000", null, "MEDIUM"),
  "match": listConfig("", null, "MEDIUM"),
} as const satisfies Record<string, ConfigDefinition>;

/** The name of such a config. */
export type ClientMetricsConfigName = keyof typeof CLIENT_METRICS_CONFIGS;

/** Whether a config of this name exists. */
export function isClientMetricsConfig(name: string): name is ClientMetricsConfigName {
  return Object.hasOwn(CLIENT_METRICS_CONFIGS, name);
}

const INTERVAL_MS_MIN = 100;
const INTERVAL_MS_MAX = 3_600_000;
/** How often clients push that no subscription is about. */
export const INTERVAL_MS_DEFAULT = 300_000;

/** What a subscription may ask of a client. */
export const CLIENT_FIELDS = [
  "client_instance_id",
  "client_id",
  "client_software_name",
  "client_software_version",
  "client_source_address",
  "client_source_port",
] as const;
export type ClientField = (typeof CLIENT_FIELDS)[number];

/** What a subscription wants. */
export interface MetricsSubscription {
  /** Prefixes of names of metrics; `*` is all. */
  readonly metrics: readonly string[];
  readonly intervalMs: number;
  /** The client must match all of these. */
  readonly match: readonly { readonly field: ClientField; readonly regex: Regex }[];
}

/** The canonical text of a config: what is set, or the default. */
export function clientMetricsText(name: ClientMetricsConfigName, configs: ConfigTexts): string {
  const text = configs.get(name) ?? CLIENT_METRICS_CONFIGS[name].defaultText ?? "";
  const parsed = parseConfigValue(name, CLIENT_METRICS_CONFIGS[name], text);
  return parsed.ok ? parsed.text ?? "" : text;
}

/** Reads the configs of a subscription, or says what is wrong with them as Kafka does. */
export function parseSubscription(
  configs: ConfigTexts,
): { readonly ok: true; readonly value: MetricsSubscription } | Refusal {
  for (const [name, text] of configs) {
    if (!isClientMetricsConfig(name)) {
      return refuse(Errors.INVALID_REQUEST, `Unknown client metrics configuration: ${name}`);
    }
    const parsed = parseConfigValue(name, CLIENT_METRICS_CONFIGS[name], text);
    if (!parsed.ok) return refuse(Errors.INVALID_CONFIG, parsed.message);
  }
  const intervalMs = Number(clientMetricsText("interval.ms", configs));
  if (intervalMs < INTERVAL_MS_MIN || intervalMs > INTERVAL_MS_MAX) {
    return refuse(
      Errors.INVALID_REQUEST,
      `Invalid value ${intervalMs} for interval.ms, interval must be between ${INTERVAL_MS_MIN} ` +
        `and ${INTERVAL_MS_MAX} (1 hour)`,
    );
  }
  const match: { field: ClientField; regex: Regex }[] = [];
  for (const pattern of items("match", configs)) {
    const parsed = parsePattern(pattern);
    if (parsed === null) {
      return refuse(Errors.INVALID_CONFIG, `Illegal client matching pattern: ${pattern}`);
    }
    match.push(parsed);
  }
  return { ok: true, value: { metrics: items("metrics", configs), intervalMs, match } };
}

function items(name: ClientMetricsConfigName, configs: ConfigTexts): string[] {
  const text = clientMetricsText(name, configs);
  return text === "" ? [] : text.split(",");
}

/** `client_id=app-.*` */
function parsePattern(text: string): { field: ClientField; regex: Regex } | null {
  const [name = "", source, ...more] = text.split("=");
  if (source === undefined || source === "" || more.length > 0) return null;
  const field = CLIENT_FIELDS.find((known) => known === name.trim());
  const compiled = compileRegex(source.trim());
  return field === undefined || !compiled.ok ? null : { field, regex: compiled.regex };
}
