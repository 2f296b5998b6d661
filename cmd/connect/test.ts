/** `kstream connect test`: what a connector makes of real records, without writing any. */
import { Admin } from "../../client/admin.ts";
import { Consumer } from "../../client/consumer.ts";
import type { PartitionPosition } from "../../client/consumer.ts";
import { ConfigError } from "../../connect/config/parse.ts";
import { formatProblem } from "../../connect/config/config-file.ts";
import type { ConfigDocument } from "../../connect/config/config-file.ts";
import { plainJson } from "../../connect/data/plain-json.ts";
import { MemoryOffsetStore } from "../../connect/offsets/memory-offset-store.ts";
import { sampleSink, sampleSource } from "../../connect/runtime/dry-run.ts";
import type { Sample } from "../../connect/runtime/dry-run.ts";
import { pipelineOf } from "../../connect/worker/pipeline-of.ts";
import type { PreparedSink, PreparedSource } from "../../connect/runtime/running-task.ts";
import { taskClock } from "../../connect/runtime/task-world.ts";
import { prepareTask } from "../../connect/worker/prepare-task.ts";
import { sinkGroup } from "../../connect/worker/task-factory.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { clientIo, clientOptions } from "../client.ts";
import { count, print } from "../output.ts";
import type { SecurityFlags } from "../security.ts";
import { onInterrupt, say } from "../terminal.ts";
import { readConfigFiles } from "./config-files.ts";
import { loadHere } from "./hosts/load-here.ts";
import { ownSecrets, stderrLogger } from "./worker-parts.ts";

export interface TestOptions extends SecurityFlags {
  readonly brokers: string;
  /** Seconds. */
  readonly timeout: number;
  readonly records: number;
  /** Folder of users' connectors. */
  readonly plugins?: string | undefined;
}

/** Prints records before and after, as JSON lines. Exit code 1 if any cannot be taken. */
export async function testConnector(file: string, options: TestOptions): Promise<void> {
  const [document, ...others] = await readConfigFiles([file]);
  if (document === undefined || others.length > 0) {
    throw new OperatorError(`${file} has ${others.length + 1} connectors`, "", "give one", 2);
  }
  const prepared = await prepare(document, options);
  const enough = AbortSignal.any([onInterrupt(), AbortSignal.timeout(options.timeout * 1000)]);
  const samples = "source" in prepared
    ? await ofSource(prepared, options, enough)
    : await ofSink(prepared, options, enough);
  for (const sample of samples) await print(linesOf(sample));
  const failed = samples.filter(({ failure }) => failure !== null).length;
  const dropped = samples.filter(({ after, failure }) => after === null && failure === null).length;
  if (failed > 0) {
    throw new OperatorError(
      `${failed} of ${count(samples.length, "record")} cannot be taken`,
      "",
      "",
    );
  }
  say(`${count(samples.length, "record")}, ${dropped} of them dropped; none is written`);
}

async function prepare(
  document: ConfigDocument,
  { plugins }: TestOptions,
): Promise<PreparedSource | PreparedSink> {
  const { config } = document;
  try {
    const definition = await loadHere(config["connector.class"] ?? "", plugins);
    const spec = {
      id: { connector: config["name"] ?? "", task: 0 },
      connectorConfig: config,
      taskConfig: config,
    };
    return prepareTask(spec, definition, ownSecrets, pipelineOf);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = error.problems.map((problem) => formatProblem(document, problem));
    throw new OperatorError(lines.join("\n"), "", "", 2);
  }
}

/** What the source reads first, where it remembers nothing. */
function ofSource(
  prepared: PreparedSource,
  { records }: TestOptions,
  signal: AbortSignal,
): Promise<Sample[]> {
  const { id, config, dynamic, definition, pipeline } = prepared;
  const offsets = new MemoryOffsetStore();
  const context = {
    isDryRun: true as const,
    config,
    dynamic,
    connector: id.connector,
    task: id.task,
    clock: taskClock(clientIo.clock),
    log: stderrLogger("warn", "text"),
    gauge: () => {},
    offsets: {
      get: async () => (await offsets.get(id.connector, [{}]))[0] ?? null,
      getAll: (partitions: readonly object[]) => Promise.resolve(partitions.map(() => null)),
    },
    onAcknowledged: () => {},
    onCommitted: () => {},
    onWritten: () => {},
    cluster: null,
  };
  return sampleSource(definition, context, pipeline, records, signal).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    throw new OperatorError(`${id.connector} cannot read`, message, "");
  });
}

/** The latest records of the sink's topics. */
async function ofSink(
  prepared: PreparedSink,
  options: TestOptions,
  signal: AbortSignal,
): Promise<Sample[]> {
  const { topics } = sinkGroup(prepared.id.connector, prepared.raw);
  if ("pattern" in topics) {
    throw new OperatorError(
      "the sink reads topics by a pattern",
      "",
      'give "topics" for a test',
      2,
    );
  }
  const client = { ...clientOptions(options), codecs: bunCodecs };
  const starts = await latest(client, topics, options.records);
  const consumer = new Consumer(clientIo, client);
  const samples: Sample[] = [];
  const left = new Map(starts.map(({ topic, partition, end }) => [`${topic}-${partition}`, end]));
  try {
    await consumer.assign(starts);
    while (samples.length < options.records && left.size > 0 && !signal.aborted) {
      const chunk = await consumer.nextChunk(signal).catch(() => null);
      if (chunk === null) break;
      for (const record of chunk.records()) {
        if (samples.length >= options.records) break;
        samples.push(sampleSink(prepared.pipeline, { ...record, timestampType: "CreateTime" }));
      }
      const key = `${chunk.topic}-${chunk.partition}`;
      if (BigInt(chunk.nextOffset) >= (left.get(key) ?? 0n)) left.delete(key);
    }
    return samples;
  } finally {
    await consumer.close();
  }
}

/** So many records before the end of each partition, where there are any. */
async function latest(
  client: ConstructorParameters<typeof Admin>[1],
  topics: readonly string[],
  records: number,
): Promise<(PartitionPosition & { readonly end: bigint })[]> {
  const admin = new Admin(clientIo, client);
  try {
    const described = await admin.describeTopics(topics);
    const partitions = described.flatMap(({ name, error, topic }) => {
      if (error !== null) throw error;
      return (topic?.partitions ?? []).map((_, partition) => ({ topic: name, partition }));
    });
    const at = (spec: "earliest" | "latest") =>
      admin.listOffsets(partitions.map((each) => ({ ...each, at: spec })));
    const [starts, ends] = await Promise.all([at("earliest"), at("latest")]);
    return ends.flatMap(({ topic, partition, offset: end }, i) => {
      const start = starts[i]?.offset ?? 0n;
      const from = end - BigInt(records);
      return end === start ? [] : [{ topic, partition, end, offset: from > start ? from : start }];
    });
  } finally {
    admin.close();
  }
}

function linesOf({ before, after, failure }: Sample): string {
  const then = failure !== null
    ? `! ${failure.stage}: ${failure.message}`
    : after === null
    ? "  dropped"
    : `> ${plainJson(pick(after))}`;
  return `< ${plainJson(pick(before))}\n${then}\n`;
}

function pick({ topic, key, value }: Sample["before"]) {
  return { topic, key, value };
}
