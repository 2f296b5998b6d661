/**
 * Batches of a partition that this broker leads, read where they lie: for searches, which go over so
 * much that what the pipe and fresh memory cost would be most of it. What it cannot read, because the
 * log is cut, moved or led elsewhere meanwhile, is left to the consumer. What it reads counts as fetched
 * by the user's quota, and beyond it waits, as a consumer would.
 */
import { FetchedChunk } from "../../client/consumer.ts";
import { bunCodecs } from "../../core/compression/bun.ts";
import { Errors } from "../../core/errors.ts";
import { DiskError, type FileRegion, type HostPort, sleep } from "../../core/io.ts";
import type { Principal } from "../../broker/authorizer.ts";
import type { Broker } from "../../broker/broker.ts";
import { ADMIN_CLIENT_ID } from "../own-connection.ts";

/** Read at a time; the event loop is held for no longer than that takes. */
const READ_BYTES = 1024 * 1024;

/** See the head of the file. */
export class LocalReader {
  #buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  constructor(
    readonly broker: Broker,
    readonly principal: Principal,
    readonly peer: HostPort,
  ) {}

  /** Whether this user may read the topic, as a consumer has to be allowed to. */
  mayRead(topic: string): boolean {
    const wanted = { operation: "READ", resourceType: "TOPIC", name: topic } as const;
    return this.broker.authorizer.authorize(this.principal, this.peer, wanted);
  }

  /**
   * What comes from the offset on, valid until the next call; null: a consumer has to read it. Rejects
   * with the signal's reason.
   */
  async read(
    topic: string,
    partition: number,
    offset: number,
    signal: AbortSignal,
  ): Promise<FetchedChunk | null> {
    const found = this.broker.partitions.find(topic, partition);
    if (typeof found === "number" || found.checkLeader(-1) !== Errors.NONE) return null;
    const endOffset = found.endOffset("read_uncommitted");
    const where = [offset, READ_BYTES, endOffset, true] as const;
    const located = found.log.locateCached(...where) ?? await found.log.locate(...where);
    if (!located.ok || located.nextOffset <= offset) return null;
    const { records, nextOffset } = located;
    const bytes = records instanceof Uint8Array ? records : this.#load(records);
    if (bytes === null) return null;
    await this.#pay(bytes.length, signal);
    return new FetchedChunk(
      topic,
      partition,
      offset,
      nextOffset,
      endOffset,
      bytes,
      null,
      bunCodecs,
    );
  }

  async #pay(bytes: number, signal: AbortSignal): Promise<void> {
    const { quotas, io: { clock } } = this.broker;
    const waitMs = quotas.read({ principal: this.principal, clientId: ADMIN_CLIENT_ID }, bytes);
    if (waitMs > 0) await sleep(clock, waitMs, signal);
  }

  /** Null if the log was cut since the region was found. */
  #load({ position, length, open }: FileRegion): Uint8Array | null {
    if (length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(length);
    const bytes = this.#buffer.subarray(0, length);
    try {
      const { file, release } = open();
      try {
        return file.readSync(bytes, position) === length ? bytes : null;
      } finally {
        release();
      }
    } catch (error) {
      if (error instanceof DiskError) return null;
      throw error;
    }
  }
}
