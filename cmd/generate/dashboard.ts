/** A dashboard for Grafana (schema 39), by the metrics of `admin/metrics`. */

/** A graph: its title, its unit as Grafana names it, and its lines as pairs of expression and legend. */
interface Panel {
  readonly title: string;
  readonly unit: "short" | "Bps" | "bytes" | "s" | "reqps" | "percentunit" | "none";
  readonly lines: readonly (readonly [expr: string, legend: string])[];
}

/** `SEL` stands for the matchers of job and instance. */
export const ROWS: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
  {
    title: "Overview",
    panels: [
      panel("Bytes in and out", "Bps", [
        ["sum(rate(kstream_produced_bytes_total{SEL}[$__rate_interval]))", "produced"],
        ["sum(rate(kstream_fetched_bytes_total{SEL}[$__rate_interval]))", "fetched"],
      ]),
      panel("Records produced a second", "short", [
        ["sum(rate(kstream_produced_records_total{SEL}[$__rate_interval]))", "records"],
      ]),
      panel("Partitions in trouble", "none", [
        ["max(kstream_cluster_partitions_offline{SEL})", "without a leader"],
        ["sum(kstream_partitions_under_min_isr{SEL})", "under min.insync.replicas"],
        ["sum(kstream_partitions_under_replicated{SEL})", "under-replicated"],
      ]),
      panel("Connections", "none", [
        ["sum by (listener) (kstream_connections{SEL})", "{{listener}}"],
      ]),
    ],
  },
  {
    title: "Requests",
    panels: [
      panel("Requests a second", "reqps", [
        [
          "sum by (api) (rate(kstream_request_duration_seconds_count{SEL}[$__rate_interval]))",
          "{{api}}",
        ],
      ]),
      panel("Produce: time", "s", quantiles("Produce")),
      panel("Fetch: time, long polls included", "s", quantiles("Fetch")),
      panel("Errors a second", "reqps", [
        [
          "sum by (api, error) (rate(kstream_request_errors_total{SEL}[$__rate_interval])) > 0",
          "{{api}} {{error}}",
        ],
      ]),
      panel("Busy with requests, mean", "s", [
        [
          "sum by (api) (rate(kstream_request_local_seconds_sum{SEL}[$__rate_interval])) / " +
          "sum by (api) (rate(kstream_request_local_seconds_count{SEL}[$__rate_interval]))",
          "{{api}}",
        ],
      ]),
      panel("Waiting", "none", [
        ["sum by (api) (kstream_requests_in_flight{SEL}) > 0", "{{api}}"],
      ]),
    ],
  },
  {
    title: "Groups",
    panels: [
      panel("Behind, seconds", "s", [
        ["max by (group, topic) (kstream_group_lag_seconds{SEL})", "{{group}} {{topic}}"],
      ]),
      panel("Behind, records", "short", [
        ["sum by (group, topic) (kstream_group_lag_records{SEL})", "{{group}} {{topic}}"],
      ]),
      panel("Groups", "none", [
        ["sum by (type, state) (kstream_groups{SEL})", "{{type}} {{state}}"],
      ]),
      panel("Transactional ids", "none", [
        ["sum by (state) (kstream_transactional_ids{SEL})", "{{state}}"],
      ]),
    ],
  },
  {
    title: "Topics",
    panels: [
      panel("Produced", "Bps", [
        [
          "topk(20, sum by (topic) (rate(kstream_topic_produced_bytes_total{SEL}[$__rate_interval])))",
          "{{topic}}",
        ],
      ]),
      panel("Fetched", "Bps", [
        [
          "topk(20, sum by (topic) (rate(kstream_topic_fetched_bytes_total{SEL}[$__rate_interval])))",
          "{{topic}}",
        ],
      ]),
      panel("Size", "bytes", [
        ["topk(20, sum by (topic) (kstream_topic_size_bytes{SEL}))", "{{topic}}"],
      ]),
    ],
  },
  {
    title: "Connectors",
    panels: [
      panel("Tasks", "none", [
        ["sum by (state) (kstream_connect_tasks{SEL})", "{{state}}"],
      ]),
      panel("Read by sources, records a second", "short", [
        [
          "sum by (connector) (rate(" +
          "kafka_connect_source_task_metrics_source_record_poll_total{SEL}[$__rate_interval]))",
          "{{connector}}",
        ],
      ]),
      panel("Taken by sinks, records a second", "short", [
        [
          "sum by (connector) (rate(" +
          "kafka_connect_sink_task_metrics_sink_record_send_total{SEL}[$__rate_interval]))",
          "{{connector}}",
        ],
      ]),
      panel("Sinks behind, records", "short", [
        [
          "max by (connector) (kafka_connect_sink_task_metrics_sink_record_lag_max{SEL})",
          "{{connector}}",
        ],
      ]),
      panel("Records left out a second", "short", [
        [
          "sum by (connector) (rate(" +
          "kafka_connect_task_error_metrics_total_records_skipped{SEL}[$__rate_interval])) > 0",
          "{{connector}}",
        ],
      ]),
    ],
  },
  {
    title: "Disks and replication",
    panels: [
      panel("Sync, 99 of 100", "s", [
        [
          "histogram_quantile(0.99, sum by (instance, directory, le) " +
          "(rate(kstream_log_sync_seconds_bucket{SEL}[$__rate_interval])))",
          "{{instance}} {{directory}}",
        ],
      ]),
      panel("Free", "bytes", [
        ["kstream_data_directory_free_bytes{SEL}", "{{instance}} {{directory}}"],
      ]),
      panel("Replication", "Bps", [
        ["sum(rate(kstream_replication_received_bytes_total{SEL}[$__rate_interval]))", "received"],
        ["sum(rate(kstream_replication_sent_bytes_total{SEL}[$__rate_interval]))", "sent"],
      ]),
      panel("Changes of ISRs and leaders", "none", [
        ["sum(increase(kstream_isr_shrinks_total{SEL}[$__rate_interval]))", "ISR shrinks"],
        ["sum(increase(kstream_isr_expands_total{SEL}[$__rate_interval]))", "ISR expands"],
        ["sum(increase(kstream_leader_elections_total{SEL}[$__rate_interval]))", "elections"],
      ]),
    ],
  },
  {
    title: "Processes",
    panels: [
      panel("Processors", "none", [
        ["rate(process_cpu_seconds_total{SEL}[$__rate_interval])", "{{instance}}"],
      ]),
      panel("Memory", "bytes", [
        ["process_resident_memory_bytes{SEL}", "{{instance}} resident"],
        ["kstream_heap_used_bytes{SEL}", "{{instance}} heap"],
      ]),
      panel("Event loop late, 99 of 100", "s", [
        [
          "histogram_quantile(0.99, sum by (instance, le) " +
          "(rate(kstream_event_loop_delay_seconds_bucket{SEL}[$__rate_interval])))",
          "{{instance}}",
        ],
      ]),
      panel("Open files", "none", [["process_open_fds{SEL}", "{{instance}}"]]),
    ],
  },
];

function panel(title: string, unit: Panel["unit"], lines: Panel["lines"]): Panel {
  return { title, unit, lines };
}

function quantiles(api: string): Panel["lines"] {
  return [0.5, 0.99, 0.999].map((quantile) => [
    `histogram_quantile(${quantile}, sum by (le) ` +
    `(rate(kstream_request_duration_seconds_bucket{SEL, api="${api}"}[$__rate_interval])))`,
    `${quantile * 100} %`,
  ]);
}

const SELECTOR = 'job=~"$job", instance=~"$instance"';
/** Grafana's grid is 24 wide. */
const PANEL = { w: 12, h: 8 };

/** The dashboard; `datasource`: the uid of a Prometheus in Grafana, or null for a choice in the page. */
export function dashboard(datasource: string | null): string {
  const source = { type: "prometheus", uid: datasource ?? "${datasource}" };
  const panels: object[] = [];
  let y = 0;
  for (const row of ROWS) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: 24, h: 1 },
      panels: [],
    });
    y++;
    row.panels.forEach((each, index) => {
      const gridPos = { ...PANEL, x: index % 2 * PANEL.w, y: y + Math.floor(index / 2) * PANEL.h };
      panels.push(panelJson(each, panels.length + 1, gridPos, source));
    });
    y += Math.ceil(row.panels.length / 2) * PANEL.h;
  }
  return JSON.stringify(
    {
      uid: "kstream",
      title: "kstream",
      tags: ["kstream", "kafka"],
      schemaVersion: 39,
      version: 1,
      editable: true,
      timezone: "browser",
      refresh: "30s",
      time: { from: "now-1h", to: "now" },
      templating: { list: variables(datasource, source) },
      annotations: { list: [] },
      panels,
    },
    null,
    2,
  ) + "\n";
}

function panelJson(
  { title, unit, lines }: Panel,
  id: number,
  gridPos: object,
  datasource: object,
): object {
  return {
    id,
    type: "timeseries",
    title,
    gridPos,
    datasource,
    fieldConfig: {
      defaults: { unit, min: 0, custom: { fillOpacity: 8, showPoints: "never" } },
      overrides: [],
    },
    options: {
      legend: { displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "multi", sort: "desc" },
    },
    targets: lines.map(([expr, legendFormat], index) => ({
      refId: String.fromCharCode("A".charCodeAt(0) + index),
      datasource,
      expr: expr.replaceAll("SEL", SELECTOR),
      legendFormat,
    })),
  };
}

function variables(datasource: string | null, source: object): object[] {
  const ofLabel = (name: string, query: string) => ({
    name,
    type: "query",
    datasource: source,
    query: { query, refId: name },
    refresh: 2,
    includeAll: true,
    multi: true,
    allValue: ".*",
    current: { text: "All", value: "$__all" },
  });
  return [
    ...datasource === null
      ? [{ name: "datasource", type: "datasource", query: "prometheus", current: {} }]
      : [],
    ofLabel("job", "label_values(kstream_build_info, job)"),
    ofLabel("instance", 'label_values(kstream_build_info{job=~"$job"}, instance)'),
  ];
}
