/** The data directories of all brokers: what is in them, what is free, and which have failed. */
import { Badge, Empty, Loading, ProblemNote } from "../components/notes.tsx";
import { type Column, Table } from "../components/table.tsx";
import { at, path } from "../data/api.ts";
import { bytes, count } from "../data/format.ts";
import type { BrokerView, LogDirView } from "../data/model.ts";
import { useResource } from "../data/use-resource.ts";
import { href } from "../router.ts";

const EVERY_MS = 10_000;
/** Below it a disk counts as nearly full, as for `/health`. */
const FREE_BYTES_MIN = 1024 ** 3;

const COLUMNS: readonly Column<LogDirView>[] = [
  {
    name: "Directory",
    show: ({ path: dir }) => (
      <span class="mono path">
        <bdi>{dir}</bdi>
      </span>
    ),
  },
  { name: "State", show: (dir) => <DirState dir={dir} /> },
  {
    name: "Partitions",
    show: ({ failed, partitions }) => failed ? "–" : count(partitions),
    by: ({ partitions }) => partitions,
    isNumber: true,
    isMinor: true,
  },
  {
    name: "Stored",
    show: ({ failed, sizeBytes }) => failed ? "–" : bytes(sizeBytes),
    by: ({ sizeBytes }) => sizeBytes,
    isNumber: true,
  },
  {
    name: "Free",
    show: ({ usableBytes }) => bytes(usableBytes),
    by: ({ usableBytes }) => usableBytes ?? -1,
    isNumber: true,
  },
];

function DirState({ dir: { failed, usableBytes } }: { dir: LogDirView }) {
  if (failed) return <Badge tone="bad" text="failed" />;
  if (usableBytes !== null && usableBytes < FREE_BYTES_MIN) {
    return <Badge tone="warn" text="nearly full" />;
  }
  return <Badge tone="good" text="healthy" />;
}

export function DisksPage() {
  const { data, problem, reload } = useResource(at("/v1/cluster"), EVERY_MS);
  return (
    <>
      <h1>Disks</h1>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data?.brokers.map((broker) => <BrokerDisks key={broker.nodeId} broker={broker} />)}
    </>
  );
}

function BrokerDisks({ broker: { nodeId, host, fenced } }: { broker: BrokerView }) {
  return (
    <section>
      <h2>
        <a href={href(path(["brokers", nodeId]))}>Broker {nodeId}</a>
        <span class="note">{host}</span>
      </h2>
      {fenced
        ? <Empty title="Nothing is heard of this broker" />
        : <LogDirs broker={String(nodeId)} />}
    </section>
  );
}

/** The directories of one broker. */
export function LogDirs({ broker }: { broker: string }) {
  const url = at("/v1/brokers/:broker/log-dirs", { broker });
  const { data, problem, reload } = useResource(url, EVERY_MS);
  return (
    <>
      <ProblemNote problem={problem} onRetry={reload} />
      {data === null && problem === null && <Loading />}
      {data !== null && (
        <Table
          label={`Directories of broker ${broker}`}
          items={data.logDirs}
          columns={COLUMNS}
          keyOf={({ path: dir }) => dir}
        />
      )}
    </>
  );
}
