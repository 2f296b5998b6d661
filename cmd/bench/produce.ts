import type { CompressionName } from "../../core/compression/codec.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import { UnknownTopicError } from "../../client/cluster.ts";
import { Producer } from "../../client/producer.ts";
import type { TopicWriter } from "../../client/producer.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo, clientOptions, missingTopic } from "../client.ts";
import { CountedProgress } from "../progress.ts";
import { onInterrupt } from "../terminal.ts";
import { Histogram } from "./histogram.ts";
import { Pace } from "./pace.ts";
import { report } from "./report.ts";

/** Options of `bench produce`, and those that it shares with `bench latency`. */
export interface BenchProduceOptions extends AdminOptions {
  readonly records: number;
  readonly size: number;
  readonly rate: number;
  readonly acks: "0" | "1" | "all";
  readonly compression?: CompressionName;
  readonly json?: boolean | undefined;
}

const ACKS = { "0": 0, "1": 1, all: "all" } as const;
/** Without a rate: so many records go in before others get a turn. */
const BURST = 1000;

/** `kstream bench produce`. */
export async function benchProduce(topic: string, options: BenchProduceOptions): Promise<void> {
  const signal = onInterrupt();
  const latency = new Histogram();
  let failure: Error | null = null;
  let failed = 0;
  const producer = openProducer(options);
  const progress = new CountedProgress("written", options.records);
  try {
    const writer = await openWriter(producer, topic, signal);
    const pace = new Pace(options.rate);
    const sent = await sendAll(producer, writer, pace, options, signal, (dueMs, error) => {
      progress.add(1, options.size);
      if (error === null) latency.add(clientIo.clock.monotonicMs() - dueMs);
      else {
        failure ??= error;
        failed++;
      }
    });
    await producer.flush();
    const records = sent - failed;
    const elapsedMs = pace.elapsedMs();
    progress.end();
    const json = options.json ?? false;
    await report({ records, bytes: records * options.size, elapsedMs, latency, failed }, json);
  } finally {
    progress.end();
    await producer.close();
  }
  if (failure !== null) throw failure;
}

/** A producer for measurements. */
export function openProducer(options: BenchProduceOptions): Producer {
  return new Producer(clientIo, {
    ...clientOptions(options),
    allowCreate: false,
    acks: ACKS[options.acks],
    compression: options.compression ?? "none",
    codecs: bunCodecs,
    ...(options.rate > 0 ? { lingerMs: 0 } : {}),
  });
}

/** The way into a topic that is there. */
export async function openWriter(
  producer: Producer,
  topic: string,
  signal: AbortSignal,
): Promise<TopicWriter> {
  try {
    // A dead broker shows at once, without the patience of retries.
    await rejectIfAborted(producer.cluster.any(), signal);
    return await rejectIfAborted(producer.topic(topic), signal);
  } catch (error) {
    if (error instanceof UnknownTopicError) throw await missingTopic(producer.cluster, topic);
    throw error;
  }
}

/**
 * Sends records when they are due, however long the ones before take; their values begin with the
 * time at which they were, a float64 of the monotonic clock. Returns how many were sent.
 */
export async function sendAll(
  producer: Producer,
  writer: TopicWriter,
  pace: Pace,
  { records, size }: BenchProduceOptions,
  signal: AbortSignal,
  settled: (dueMs: number, error: Error | null) => void,
): Promise<number> {
  const value = new Uint8Array(size).fill(0x78);
  const view = new DataView(value.buffer);
  let sent = 0;
  while (sent < records && !signal.aborted) {
    const until = Math.min(records, pace.due(), sent + BURST);
    while (sent < until) {
      const dueMs = pace.dueMs(sent);
      view.setFloat64(0, dueMs);
      const wallMs = clientIo.clock.wallMs();
      const callback = (error: Error | null) => settled(dueMs, error);
      if (writer.append(-1, wallMs, null, value, [], callback) >= 0) sent++;
      else await producer.room();
    }
    if (pace.perSecond > 0) await pace.until(sent, signal).catch(() => {});
    else await new Promise((resolve) => setImmediate(resolve));
  }
  if (sent === 0) throw new OperatorError("interrupted", "", "");
  return sent;
}
