/**
 * What clients push of themselves (KIP-714), for Prometheus: the latest push of each client, of so many
 * clients and series at most. Names and labels are the clients' own, and so are bounded and made valid;
 * all begin with `kafka_client_`.
 */
import type { Broker } from "../../broker/broker.ts";
import { isFresh, type LatestPush } from "../../broker/client-telemetry.ts";
import type { PushedMetric, PushedPoint } from "../../broker/client-metrics/pushed-metrics.ts";
import { readPush } from "../../broker/client-metrics/read-push.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { sleep } from "../../core/io.ts";
import { metric, type MetricFamily } from "./family.ts";

/** Series of one answer, and of one client in it. */
const SERIES_MAX = 20_000;
const SERIES_PER_CLIENT_MAX = 1_000;
const LABELS_MAX = 16;
const NAME_CHARS_MAX = 200;
const VALUE_CHARS_MAX = 200;
const HELP_CHARS_MAX = 500;

const PREFIX = "kafka_client_";
/** What the names of Java's clients begin with. */
const KAFKA_PREFIX = /^org\.apache\.kafka\./;

interface Gathered {
  readonly kind: PushedMetric["kind"];
  readonly help: string;
  readonly labels: Set<string>;
  /** By their labels, as one text. */
  readonly samples: Map<string, { readonly labels: ReadonlyMap<string, string>; value: number }>;
}

/** What one answer shows. */
class Gathering {
  readonly families = new Map<string, Gathered>();
  clients = 0;
  series = 0;
  leftOut = 0;

  addClient(push: LatestPush, metrics: readonly PushedMetric[]): void {
    this.clients++;
    const max = Math.min(SERIES_MAX, this.series + SERIES_PER_CLIENT_MAX);
    for (const each of metrics) {
      const family = this.#family(each);
      for (const point of each.points) {
        if (family === null || this.series >= max) this.leftOut++;
        else this.#add(family, labelsOf(push, each, point), point.value);
      }
    }
  }

  /** Null: another client has a metric of another kind under this name. */
  #family({ name, kind, description }: PushedMetric): Gathered | null {
    const shown = metricName(name);
    let family = this.families.get(shown);
    if (family === undefined) {
      const help = (description || name).slice(0, HELP_CHARS_MAX);
      family = { kind, help, labels: new Set(), samples: new Map() };
      this.families.set(shown, family);
    }
    return family.kind === kind ? family : null;
  }

  #add(family: Gathered, labels: ReadonlyMap<string, string>, value: number): void {
    const key = JSON.stringify([...labels].sort(([a], [b]) => a < b ? -1 : 1));
    if (family.samples.has(key)) {
      this.leftOut++;
      return;
    }
    for (const label of labels.keys()) family.labels.add(label);
    family.samples.set(key, { labels, value });
    this.series++;
  }
}

/** Of the clients that have pushed last and in time. Between clients others get their turn. */
export async function clientFamilies(broker: Broker): Promise<readonly MetricFamily<void>[]> {
  const { telemetry, config, io: { clock } } = broker;
  const fresh = [...telemetry.latestPushes()].filter((push) => isFresh(push, clock.wallMs()));
  const max = config.get("kstream.metrics.clients.max");
  const shown = max === 0 ? [] : fresh.slice(-max);
  const gathering = new Gathering();
  for (const push of shown) {
    const read = readPush(push, bunCodecs);
    if (read.ok) gathering.addClient(push, read.metrics);
    await sleep(clock, 0);
  }
  return [
    ...summaryFamilies(gathering, fresh.length - shown.length),
    ...[...gathering.families].sort(([a], [b]) => a < b ? -1 : 1).map(([name, family]) =>
      familyOf(name, family)
    ),
  ];
}

function summaryFamilies(
  { clients, leftOut }: Gathering,
  clientsLeftOut: number,
): MetricFamily<void>[] {
  return [
    metric.gauge<void>(
      "kstream_client_metrics_clients",
      "Clients whose latest push is shown here, and those that are too many.",
      ["shown"],
      (_, sink) => {
        sink.value(clients, "yes");
        sink.value(clientsLeftOut, "no");
      },
    ),
    metric.gauge<void>(
      "kstream_client_metrics_series_left_out",
      "Series of the clients shown that are not: too many, twice there, or of two kinds.",
      [],
      (_, sink) => sink.value(leftOut),
    ),
  ];
}

function familyOf(name: string, { kind, help, labels, samples }: Gathered): MetricFamily<void> {
  const names = [...labels];
  return metric[kind]<void>(name, help, names, (_, sink) => {
    for (const sample of samples.values()) {
      sink.value(sample.value, ...names.map((label) => sample.labels.get(label) ?? ""));
    }
  });
}

function labelsOf(
  { clientInstanceId, clientId }: LatestPush,
  { resource }: PushedMetric,
  { attributes }: PushedPoint,
): Map<string, string> {
  const labels = new Map([["client_instance_id", clientInstanceId]]);
  const add = (name: string, value: string) => {
    const shown = labelName(name);
    if (labels.size >= LABELS_MAX || labels.has(shown) || value === "") return;
    labels.set(shown, value.slice(0, VALUE_CHARS_MAX));
  };
  add("client_id", clientId ?? "");
  for (const [name, value] of attributes) add(name, value);
  for (const [name, value] of resource) add(name, value);
  return labels;
}

/** `org.apache.kafka.producer.record.send.total` is `kafka_client_producer_record_send` of a counter. */
function metricName(name: string): string {
  const valid = name.replace(KAFKA_PREFIX, "").slice(0, NAME_CHARS_MAX)
    .replaceAll(/[^a-zA-Z0-9_]+/g, "_");
  return PREFIX + valid.replace(/(_total|_info)+$/, "");
}

function labelName(name: string): string {
  const valid = name.slice(0, NAME_CHARS_MAX).replaceAll(/[^a-zA-Z0-9_]/g, "_");
  // Names that begin with two underscores are Prometheus' own.
  return /^[a-zA-Z]/.test(valid) ? valid : `label_${valid}`;
}
