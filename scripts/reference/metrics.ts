/** `docs/metrics.md`, from the registry. */
import { ALIASES, DETAIL_ALIASES } from "../../admin/metrics/aliases.ts";
import { DETAIL_METRICS } from "../../admin/metrics/detail.ts";
import { type MetricFamily, sampleName } from "../../admin/metrics/family.ts";
import { CONNECT_SECTIONS, TASKS_MAX } from "../../connect/metrics/families.ts";
import { METRIC_SECTIONS } from "../../admin/metrics/registry.ts";

const HEAD = `# Metrics

The admin server shows what a broker counts to Prometheus:

- \`GET /metrics\`: everything below but the last two sections, bounded in size whatever the broker
  holds. Beyond \`kstream.metrics.topics.max\` topics and \`kstream.metrics.groups.max\` pairs of group
  and topic, the rest is one series, \`other\`. Who came first keeps its name until it is gone.
- \`GET /metrics/detail\`: each partition of this broker, and each partition of the groups that it
  coordinates. Large with many partitions: scrape it seldom, or not at all.
- \`GET /metrics/clients\`: what clients push of themselves (KIP-714), bounded, see telemetry.md.
- \`?aliases=1\` adds the names of other exporters to either, for dashboards that people have.

The text is Prometheus' format 0.0.4, or OpenMetrics 1.0 where the client asks for that. Counters begin
at 0 with the process. Each broker tells of itself, and of the groups that it coordinates: sum over the
brokers of a cluster. Shards are brokers, too.

\`\`\`yaml
scrape_configs:
  - job_name: kstream
    static_configs:
      - targets: ["127.0.0.1:8080"]
\`\`\`

\`kstream generate dashboard\` prints a dashboard for Grafana, \`kstream generate alerts\` rules for
Prometheus; both are made from these names.

With \`kstream.otlp.endpoint\` the broker sends all of \`/metrics\` to an OpenTelemetry collector each
\`kstream.otlp.interval.ms\`, by OTLP over HTTP in JSON, cumulative; telemetry.md says what else it sends.

Times of requests are made of what the broker reads off the clock anyway.
`;

const CONNECT_HEAD = `## Of workers of connectors

\`GET /metrics\` of a worker's REST API (\`kstream connect worker\`), and that of a broker with
\`serve --connect\`, tell of what runs on that worker:
scrape each of them. Names are those of Kafka Connect in JMX, as its exporter writes them: of \`type\`
\`source-task-metrics\` the attribute \`source-record-poll-total\` is
\`kafka_connect_source_task_metrics_source_record_poll_total\`. Beyond ${TASKS_MAX} tasks of a worker the rest
is one series, \`connector="other"\`. \`GET /admin/figures\` has the same as JSON, of all workers with
\`?scope=cluster\`.
`;

/** The whole page. */
export function metricsMarkdown(): string {
  const sections = METRIC_SECTIONS.map(({ title, families }) => section(title, families));
  return [
    HEAD,
    ...sections,
    section("Of /metrics/detail", DETAIL_METRICS),
    CONNECT_HEAD,
    ...CONNECT_SECTIONS.map(({ title, families }) => section(`Connect: ${title}`, families)),
    section("Aliases, with ?aliases=1", [...ALIASES, ...DETAIL_ALIASES]),
  ].join("\n");
}

function section<S>(title: string, families: readonly MetricFamily<S>[]): string {
  const items = families.map((family) => {
    const labels = family.labels.length === 0 ? "" : ` by ${family.labels.join(", ")}`;
    return `- \`${sampleName(family)}\` (${family.type}${labels}): ${family.help}`;
  });
  return `## ${title}\n\n${items.join("\n")}\n`;
}
