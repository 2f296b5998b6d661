/**
 * `kstream consume --share`: records of a share group to standard output. A record is accepted once
 * standard output has taken it; what was not written is given back to the group at the end.
 */
import { Admin } from "../../client/admin.ts";
import type { TopicMetadata } from "../../client/cluster.ts";
import { KafkaError, UnsupportedError } from "../../client/errors.ts";
import { ShareConsumer } from "../../client/share-consumer.ts";
import type { AcknowledgeFailure, ShareRecord } from "../../client/share-consumer.ts";
import { NO_CODECS } from "../../core/compression/codec.ts";
import type { Timer } from "../../core/io.ts";
import { BatchBuilder } from "../../core/records/batch-builder.ts";
import { RecordCursor } from "../../core/records/record-cursor.ts";
import { rejectIfAborted } from "../../core/unless-aborted.ts";
import { nextUnlessIdle } from "./idle.ts";
import { LateTopics } from "./late-topics.ts";
import { Output } from "../../core/text/output.ts";
import type { ConsumeIo, ConsumeSettings } from "./run.ts";
import { findTopics } from "./topics.ts";

/** What the command line asks for. */
export interface ShareSettings extends
  Pick<
    ConsumeSettings,
    | "topics"
    | "waitTopic"
    | "client"
    | "codecs"
    | "count"
    | "idleTimeoutMs"
    | "select"
    | "print"
  > {
  readonly group: string;
}

const FLUSH_BYTES = 256 * 1024;
const RECORDS_AT_A_TIME = 500;
/** How often it is asked whether the reader of standard output has gone. */
const READER_CHECK_MS = 200;
const RESET_CONFIG = "share.auto.offset.reset";

/** Runs the command; resolves to its exit code. Throws `OperatorError` and errors of the client. */
export async function runShare(settings: ShareSettings, io: ConsumeIo): Promise<number> {
  return await new ShareRun(settings, io).run();
}

class ShareRun {
  readonly #consumer: ShareConsumer;
  readonly #output: Output;
  /** Aborted when there is nothing more to do. */
  readonly #done = new AbortController();
  readonly #stop: AbortSignal;
  #printed = 0;
  #accepted = 0;
  #idle = false;
  #failure: unknown = null;
  #readerTimer: Timer | null = null;
  #late: LateTopics | null = null;

  constructor(readonly settings: ShareSettings, readonly io: ConsumeIo) {
    const count = settings.count ?? Infinity;
    this.#output = new Output(io.write);
    this.#stop = AbortSignal.any([io.signal, this.#done.signal]);
    this.#consumer = new ShareConsumer(io.client, {
      ...settings.client,
      codecs: settings.codecs,
      groupId: settings.group,
      acknowledgement: "explicit",
      maxRecords: Math.min(count, RECORDS_AT_A_TIME),
      strictMaxRecords: count < RECORDS_AT_A_TIME,
    });
  }

  async run(): Promise<number> {
    const { topics, waitTopic: wait } = this.settings;
    const { signal, say } = this.io;
    this.#watchReader();
    try {
      const found = await findTopics(this.#consumer.cluster, topics, { wait, signal, say });
      await rejectIfAborted(this.#sayWhereItBegins(), signal);
      this.#consumer.subscribe(found.map(({ name }) => name));
      if ("pattern" in topics) this.#follow(topics.pattern, found);
      await this.#printAll();
      if (this.#failure !== null) throw this.#failure;
    } finally {
      this.#readerTimer?.cancel();
      this.#late?.stop();
      report(await this.#consumer.close(), this.io);
    }
    return this.#cutShort() ? 4 : 0;
  }

  /** Without new records no write would ever tell that the reader (`| head`) has gone. */
  #watchReader(): void {
    this.#readerTimer = this.io.client.clock.setTimer(READER_CHECK_MS, () => {
      if (this.io.readerGone()) this.#done.abort();
      else this.#watchReader();
    });
  }

  /** Who has just written some records, and sees none of them, is told why. */
  async #sayWhereItBegins(): Promise<void> {
    const { group, client } = this.settings;
    const admin = new Admin(this.io.client, client);
    try {
      const configs = await admin.describeConfigs({ type: "group", name: group });
      if (configs.find(({ name }) => name === RESET_CONFIG)?.value !== "latest") return;
      const known = await admin.groups.listShareOffsets(group).catch(() => []);
      if (known.some(({ startOffset }) => startOffset !== null)) return;
      this.io.say(
        `kstream: share group "${group}" is new and gets what comes from now on; to begin at the ` +
          `start: kstream config set group ${group} ${RESET_CONFIG}=earliest`,
      );
    } catch (error) {
      // It is only a hint, and who may consume need not be allowed to ask for it.
      if (!(error instanceof KafkaError || error instanceof UnsupportedError)) throw error;
    } finally {
      admin.close();
    }
  }

  #follow(pattern: string, found: readonly TopicMetadata[]): void {
    const names = found.map(({ name }) => name);
    const came = ({ name }: TopicMetadata) => {
      names.push(name);
      this.#consumer.subscribe([...names]);
      return Promise.resolve();
    };
    this.#late = new LateTopics(this.#consumer.cluster, pattern, found, came, (error) => {
      this.#failure ??= error;
      this.#done.abort();
    });
  }

  async #printAll(): Promise<void> {
    const { count, select, print } = this.settings;
    const output = this.#output;
    let written: ShareRecord[] = [];
    const accept = () => {
      for (const each of written) if (this.#consumer.acknowledgeIfHeld(each)) this.#accepted++;
      written = [];
    };
    while (!this.#stop.aborted && this.#printed < (count ?? Infinity)) {
      const record = await this.#next();
      if (record === null) break;
      const cursor = cursorOn(record);
      const selected = select === null ? cursor : select(cursor, record);
      if (selected !== null && print(output, selected, record) !== false) this.#printed++;
      written.push(record);
      // As long as more is at hand, one write takes many.
      const isMore = this.#consumer.buffered > 0 && output.size < FLUSH_BYTES;
      if (isMore && this.#printed !== count) continue;
      if (!await output.flush()) return;
      accept();
    }
    if (await output.flush()) accept();
  }

  #next(): Promise<ShareRecord | null> {
    return nextUnlessIdle({
      clock: this.io.client.clock,
      idleTimeoutMs: this.settings.idleTimeoutMs,
      onIdle: () => {
        this.#idle = true;
        this.#done.abort();
      },
      stop: this.#stop,
      isReading: () => this.#consumer.isReading,
      next: (stop) => this.#consumer.next(stop),
    });
  }

  /** Whether less came than was asked for; says so. */
  #cutShort(): boolean {
    const { count, idleTimeoutMs } = this.settings;
    const { aborted } = this.io.signal;
    if (!this.#output.open || (!aborted && !this.#idle)) return false;
    const why = aborted ? "interrupted" : `nothing came for ${idleTimeoutMs} ms`;
    if (count !== null && this.#printed < count) {
      this.io.say(`kstream: ${why}: ${this.#printed} of ${count} records were written`);
      return true;
    }
    if (aborted) this.io.say(`kstream: ${why}: ${this.#accepted} records are accepted`);
    return false;
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
