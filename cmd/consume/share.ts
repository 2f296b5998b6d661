/**
 * `kstream consume --share`: records of a share group to standard output. A record is accepted once
 * standard output has taken it; what was not written is given back to the group at the end.
 */
import { ShareConsumer } from "../../client/share-consumer.ts";
import type { AcknowledgeFailure, ShareRecord } from "../../client/share-consumer.ts";
import { NO_CODECS } from "../../core/compression/codec.ts";
import type { Timer } from "../../core/io.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { Output } from "./output.ts";
import type { ConsumeIo, ConsumeSettings } from "./run.ts";
import { findTopics } from "./topics.ts";

/** What the command line asks for. */
export interface ShareSettings extends
  Pick<
    ConsumeSettings,
    "topics" | "waitTopic" | "client" | "codecs" | "count" | "select" | "print"
  > {
  readonly group: string;
}

const FLUSH_BYTES = 256 * 1024;
const RECORDS_AT_A_TIME = 500;
/** How often it is asked whether the reader of standard output has gone. */
const READER_CHECK_MS = 200;

/** Runs the command; resolves to its exit code. Throws `OperatorError` and errors of the client. */
export async function runShare(settings: ShareSettings, io: ConsumeIo): Promise<number> {
  const count = settings.count ?? Infinity;
  const consumer = new ShareConsumer(io.client, {
    ...settings.client,
    codecs: settings.codecs,
    groupId: settings.group,
    acknowledgement: "explicit",
    maxRecords: Math.min(count, RECORDS_AT_A_TIME),
    strictMaxRecords: count < RECORDS_AT_A_TIME,
  });
  const gone = new AbortController();
  const stop = AbortSignal.any([io.signal, gone.signal]);
  const watch = watchReader(io, gone);
  try {
    const options = { wait: settings.waitTopic, signal: io.signal, say: io.say };
    const topics = await findTopics(consumer.cluster, settings.topics, options);
    consumer.subscribe(topics.map(({ name }) => name));
    await printAll(consumer, settings, io, stop);
  } finally {
    watch.cancel();
    report(await consumer.close(), io);
  }
  return 0;
}

/** Without new records no write would ever tell that the reader (`| head`) has gone. */
function watchReader(io: ConsumeIo, gone: AbortController): Timer {
  const check = () => {
    if (io.readerGone()) gone.abort();
    else timer = io.client.clock.setTimer(READER_CHECK_MS, check);
  };
  let timer = io.client.clock.setTimer(READER_CHECK_MS, check);
  return { cancel: () => timer.cancel() };
}

async function printAll(
  consumer: ShareConsumer,
  { count, select, print }: ShareSettings,
  io: ConsumeIo,
  stop: AbortSignal,
): Promise<void> {
  const output = new Output(io.write);
  let written: ShareRecord[] = [];
  let printed = 0;
  while (!stop.aborted && printed < (count ?? Infinity)) {
    const record = await nextOrNull(consumer, stop);
    if (record === null) break;
    const cursor = cursorOn(record);
    const selected = select === null ? cursor : select(cursor, record);
    if (selected !== null && print(output, selected, record) !== false) printed++;
    written.push(record);
    // As long as more is at hand, one write takes many.
    if (consumer.buffered > 0 && output.size < FLUSH_BYTES && printed !== count) continue;
    if (!await output.flush()) return;
    for (const each of written) consumer.acknowledgeIfHeld(each);
    written = [];
  }
  if (await output.flush()) { for (const each of written) consumer.acknowledgeIfHeld(each); }
}

async function nextOrNull(consumer: ShareConsumer, stop: AbortSignal): Promise<ShareRecord | null> {
  try {
    return await consumer.next(stop);
  } catch (error) {
    if (stop.aborted) return null;
    throw error;
  }
}

/** Formats print what a cursor stands on. */
function cursorOn({ offset, timestampMs, key, value, headers }: ShareRecord): RecordCursor {
  const builder = new BatchBuilder({ baseOffset: Number(offset) });
  builder.append(timestampMs, key, value, headers);
  const cursor = new RecordCursor(builder.build(), 0, NO_CODECS);
  cursor.next();
  return cursor;
}

function report(failures: readonly AcknowledgeFailure[], io: ConsumeIo): void {
  for (const { topic, partition, offsets, error } of failures) {
    io.say(
      `kstream: ${offsets.length} records of ${topic}-${partition} were written, but may come ` +
        `again: ${error.message}`,
    );
  }
}
