/** How the broker and its cluster are: what flows, what is there, what is wrong. */
import { Chart } from "../components/chart.tsx";
import { Command, Empty, Figure, Loading, ProblemNote } from "../components/notes.tsx";
import { Table } from "../components/table.tsx";
import { at, path } from "../data/api.ts";
import { byteRate, bytes, count, rate, time } from "../data/format.ts";
import { useHistory } from "../data/history.ts";
import { type Metrics, perSecond, perSecondBy, total } from "../data/metrics.ts";
import { type Samples, useMetrics } from "../data/use-metrics.ts";
import { useResource } from "../data/use-resource.ts";
import { href } from "../router.ts";

const EVERY_MS = 2000;
const HEALTH_EVERY_MS = 5000;

export function OverviewPage() {
  const samples = useMetrics(EVERY_MS);
  const ready = useResource(at("/v1/cluster"), 5000);
  const { now, problem } = samples;
  return (
    <>
      <h1>Overview</h1>
      <p class="crumbs">
        {ready.data !== null && (
          <>
            Broker {ready.data.nodeId} of cluster <span class="mono">{ready.data.clusterId}</span>
          </>
        )}
      </p>
      <ProblemNote problem={ready.problem ?? problem} />
      {now === null && problem === null && <Loading />}
      <Findings />
      {now !== null && (
        <>
          <State metrics={now} />
          <Throughput samples={samples} />
          <BusyTopics samples={samples} />
        </>
      )}
    </>
  );
}

/** What is wrong, the worst first. */
function Findings() {
  const { data } = useResource(at("/health"), HEALTH_EVERY_MS);
  const findings = data?.findings.toSorted((a, b) => a.severity < b.severity ? -1 : 1) ?? [];
  return (
    <>
      {findings.map(({ what, severity, why, since }) => (
        <div key={what} class={severity === "critical" ? "problem" : "notice"} role="status">
          <p>
            <strong>{severity === "critical" ? "Critical" : "Warning"}:</strong> {why} (since{" "}
            {time(Date.parse(since)).slice(0, 19)})
          </p>
        </div>
      ))}
    </>
  );
}

function State({ metrics }: { metrics: Metrics }) {
  const of = (name: string) => total(metrics, `kstream_${name}`);
  const offline = of("cluster_partitions_offline") ?? 0;
  const late = of("partitions_under_replicated") ?? 0;
  const fenced = of("cluster_brokers_fenced") ?? 0;
  const lag = of("group_lag_records") ?? of("consumer_group_lag_records");
  return (
    <dl class="figures">
      <Figure
        name="Brokers"
        value={<a href={href("/brokers")}>{count(of("cluster_brokers"))}</a>}
        {...(fenced > 0 ? { note: `${count(fenced)} not heard of`, tone: "bad" } as const : {})}
      />
      <Figure name="Topics" value={<a href={href("/topics")}>{count(of("cluster_topics"))}</a>} />
      <Figure
        name="Partitions"
        value={count(of("cluster_partitions"))}
        {...(offline > 0
          ? { note: `${count(offline)} without leader`, tone: "bad" } as const
          : late > 0
          ? { note: `${count(late)} under-replicated`, tone: "warn" } as const
          : { note: "all served" })}
      />
      <Figure
        name="Groups"
        value={<a href={href("/groups")}>{count(of("groups") ?? 0)}</a>}
        {...(lag === null ? {} : { note: `${count(lag)} records behind` })}
      />
      <Figure
        name="Connections"
        value={<a href={href("/clients")}>{count(of("connections"))}</a>}
      />
      <Figure
        name="Stored"
        value={bytes(of("log_size_bytes"))}
        note={`${bytes(of("data_directory_free_bytes"))} free`}
      />
    </dl>
  );
}

function Throughput({ samples: { before, now } }: { samples: Samples }) {
  const figures = now === null ? null : {
    in: perSecond(before, now, "kstream_produced_bytes_total"),
    out: perSecond(before, now, "kstream_fetched_bytes_total"),
    records: perSecond(before, now, "kstream_produced_records_total"),
  };
  const history = useHistory(now, figures);
  if (history === null || figures === null) return null;
  return (
    <section class="panel">
      <div class="row">
        <h2>Throughput</h2>
        <div class="legend end">
          <span>
            <span class="swatch swatch-1" />in {byteRate(figures.in)}
          </span>
          <span>
            <span class="swatch swatch-2" />out {byteRate(figures.out)}
          </span>
          <span class="muted">{rate(figures.records)} records</span>
        </div>
      </div>
      <Chart
        label={`Throughput: ${byteRate(figures.in)} in, ${byteRate(figures.out)} out`}
        times={history.times}
        lines={[
          { name: "in", colour: 1, values: history.values.in },
          { name: "out", colour: 2, values: history.values.out },
        ]}
        show={byteRate}
      />
    </section>
  );
}

interface BusyTopic {
  readonly topic: string;
  readonly records: number;
  readonly in: number;
  readonly out: number;
}

const BUSY_MAX = 10;

function busyTopics(before: Metrics | null, now: Metrics): BusyTopic[] {
  const by = (name: string) => perSecondBy(before, now, `kstream_topic_${name}_total`, "topic");
  const [records, incoming, out] = [
    by("produced_records"),
    by("produced_bytes"),
    by("fetched_bytes"),
  ];
  return [...incoming.keys()]
    .map((topic) => ({
      topic,
      records: records.get(topic) ?? 0,
      in: incoming.get(topic) ?? 0,
      out: out.get(topic) ?? 0,
    }))
    .filter((each) => each.in > 0 || each.out > 0)
    .sort((a, b) => b.in + b.out - a.in - a.out)
    .slice(0, BUSY_MAX);
}

function BusyTopics({ samples: { before, now } }: { samples: Samples }) {
  if (now === null) return null;
  if ((total(now, "kstream_cluster_topics") ?? 0) === 0) {
    return (
      <Empty title="There are no topics yet">
        <p>Send something, which creates one:</p>
        <Command text="echo hello | kstream produce greetings" />
      </Empty>
    );
  }
  const busy = busyTopics(before, now);
  if (busy.length === 0) return <p class="muted">No topic is busy at the moment.</p>;
  const linkOf = ({ topic }: BusyTopic) => path(["topics", topic]);
  return (
    <>
      <h2>Busy topics</h2>
      <Table
        label="Busy topics"
        items={busy}
        keyOf={({ topic }) => topic}
        linkOf={linkOf}
        columns={[
          {
            name: "Topic",
            show: (each) => <a href={href(linkOf(each))} tabIndex={-1}>{each.topic}</a>,
          },
          { name: "Records", show: ({ records }) => rate(records), isNumber: true },
          { name: "In", show: (each) => byteRate(each.in), isNumber: true },
          { name: "Out", show: ({ out }) => byteRate(out), isNumber: true },
        ]}
      />
    </>
  );
}
