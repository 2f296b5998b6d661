import { bunCodecs } from "../../core/compression/bun.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import { UnknownTopicError } from "../../client/cluster.ts";
import { Consumer } from "../../client/consumer.ts";
import { withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo, clientOptions, missingTopic } from "../client.ts";
import { CountedProgress } from "../progress.ts";
import { onInterrupt } from "../terminal.ts";
import { readBounds } from "../topic/copy/source.ts";
import { report } from "./report.ts";

/** Options of `bench consume`. */
export interface BenchConsumeOptions extends AdminOptions {
  readonly records: number;
  readonly json?: boolean | undefined;
}

/** `kstream bench consume`: every record is unpacked and looked at. */
export async function benchConsume(topic: string, options: BenchConsumeOptions): Promise<void> {
  const signal = onInterrupt();
  const finding = withAdmin(options, async (admin) => {
    try {
      return await readBounds(admin, topic, (await admin.cluster.topic(topic)).partitions.length);
    } catch (error) {
      if (error instanceof UnknownTopicError) throw await missingTopic(admin.cluster, topic);
      throw error;
    }
  });
  const bounds = await rejectIfAborted(finding, signal);
  const left = new Map(
    bounds.filter(({ startOffset, endOffset }) => startOffset < endOffset)
      .map(({ partition, endOffset }) => [partition, endOffset]),
  );
  const consumer = new Consumer(clientIo, { ...clientOptions(options), codecs: bunCodecs });
  const startMs = clientIo.clock.monotonicMs();
  let [records, bytes] = [0, 0];
  const there = bounds.reduce((sum, each) => sum + each.endOffset - each.startOffset, 0);
  const progress = new CountedProgress("read", Math.min(there, options.records));
  try {
    await consumer.assign(bounds.map(({ partition, startOffset }) => ({
      topic,
      partition,
      offset: BigInt(startOffset),
    })));
    while (left.size > 0 && records < options.records && !signal.aborted) {
      const chunk = await consumer.nextChunk(signal);
      if (chunk === null) break;
      const before = { records, bytes };
      chunk.visit((cursor) => {
        records++;
        bytes += cursor.recordEnd - cursor.recordStart;
        return records < options.records;
      });
      progress.add(records - before.records, bytes - before.bytes);
      if (chunk.nextOffset >= (left.get(chunk.partition) ?? 0)) left.delete(chunk.partition);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    progress.end();
    await consumer.close();
  }
  const elapsedMs = clientIo.clock.monotonicMs() - startMs;
  await report({ records, bytes, elapsedMs, latency: null, failed: 0 }, options.json ?? false);
}
