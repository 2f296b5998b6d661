import { OperatorError } from "../../core/operator-error.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import { Consumer } from "../../client/consumer.ts";
import { withAdmin } from "../admin-command.ts";
import { clientIo, clientOptions } from "../client.ts";
import { CountedProgress } from "../progress.ts";
import { onInterrupt } from "../terminal.ts";
import { readBounds } from "../topic/copy/source.ts";
import { Histogram } from "./histogram.ts";
import { Pace } from "./pace.ts";
import { openProducer, openWriter, sendAll } from "./produce.ts";
import type { BenchProduceOptions } from "./produce.ts";
import { report } from "./report.ts";

const TIME_BYTES = 8;

/** `kstream bench latency`: from when a record was due until this process has read it. */
export async function benchLatency(topic: string, options: BenchProduceOptions): Promise<void> {
  const interrupted = onInterrupt();
  const producer = openProducer(options);
  const consumer = new Consumer(clientIo, { ...clientOptions(options), codecs: bunCodecs });
  const latency = new Histogram();
  let failure: Error | null = null;
  let failed = 0;
  const progress = new CountedProgress("written", options.records);
  try {
    const writer = await openWriter(producer, topic, interrupted);
    const seeking = seekToEnd(consumer, topic, writer.partitionCount, options);
    await rejectIfAborted(seeking, interrupted);
    const pace = new Pace(options.rate);
    const stop = new AbortController();
    const reading = read(consumer, latency, stop.signal);
    const sent = await sendAll(producer, writer, pace, options, interrupted, (_dueMs, error) => {
      progress.add(1, options.size);
      if (error === null) return;
      failure ??= error;
      failed++;
    });
    await producer.flush();
    const missing = await waitFor(() => sent - failed - latency.count, options.timeout);
    const elapsedMs = pace.elapsedMs();
    stop.abort();
    progress.end();
    await reading;
    const records = latency.count;
    const json = options.json ?? false;
    await report({ records, bytes: records * options.size, elapsedMs, latency, failed }, json);
    if (missing > 0) {
      throw new OperatorError(`${missing} records did not come back`, "", "raise --timeout", 3);
    }
  } finally {
    progress.end();
    await producer.close();
    await consumer.close();
  }
  if (failure !== null) throw failure;
}

async function seekToEnd(
  consumer: Consumer,
  topic: string,
  partitions: number,
  options: BenchProduceOptions,
): Promise<void> {
  const bounds = await withAdmin(options, (admin) => readBounds(admin, topic, partitions));
  await consumer.assign(bounds.map(({ partition, endOffset }) => ({
    topic,
    partition,
    offset: BigInt(endOffset),
  })));
}

async function read(
  consumer: Consumer,
  latency: Histogram,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      const chunk = await consumer.nextChunk(signal);
      if (chunk === null) return;
      const nowMs = clientIo.clock.monotonicMs();
      chunk.visit((cursor) => {
        const value = cursor.value();
        if (value === null || value.length < TIME_BYTES) return true;
        latency.add(nowMs - new DataView(value.buffer, value.byteOffset).getFloat64(0));
        return true;
      });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Waits until nothing is missing any more, or for so long; returns what still is. */
async function waitFor(missing: () => number, seconds: number): Promise<number> {
  const deadlineMs = clientIo.clock.monotonicMs() + seconds * 1000;
  while (missing() > 0 && clientIo.clock.monotonicMs() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return missing();
}
