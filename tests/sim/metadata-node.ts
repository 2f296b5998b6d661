/** A node of the metadata's simulator: it follows the log, and appends while it is controller. */
import type { ControllerElection } from "../../cluster/controller-election.ts";
import { etcdControllerElection, openEtcdMetadataLog } from "../../cluster/etcd/open-etcd.ts";
import type { EtcdStore } from "../../cluster/etcd/etcd-store.ts";
import type { EtcdMetadataLog } from "../../cluster/etcd/etcd-metadata-log.ts";
import { type MetadataChange, MetadataUnavailableError } from "../../cluster/metadata-log.ts";
import { aloneBroker } from "../../cluster/metadata-image.ts";
import type { MetadataRecord } from "../../cluster/metadata-records.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { sleep } from "../../core/io.ts";
import type { SimClock } from "./sim-clock.ts";
import type { SimEtcdClient } from "./sim-etcd.ts";
import type { SimRandom } from "./sim-random.ts";
import { expect } from "./violation.ts";

export const CLUSTER = "sim";
const LEASE_TTL_MS = 6000;
const RETRY_MS = 300;
/** More than a chunk. */
const LARGE_BYTES = 700_000;

/** What the nodes tell the world. */
export interface NodeWitness {
  /** A number that no other record has. */
  nextRecordId(): number;
  appending(id: number): void;
  /** The log ends at `position` behind it, as the node was told. */
  acknowledged(id: number, position: number): void;
  /** The node was told that it is not in the log. */
  refused(id: number): void;
  elected(node: MetadataNode, term: number): void;
  /** A node has read on, from the record of this number. */
  read(node: MetadataNode, before: number): void;
  note(line: string): void;
}

/** What a run is like. */
export interface NodeOptions {
  readonly appendEveryMs: number;
  /** What was sent in the term before may still arrive while a new controller waits so long. */
  readonly firstAppendMs: number;
  readonly snapshotPercent: number;
  readonly largePercent: number;
}

export function idOf(record: MetadataRecord): number {
  return record.type === "broker" ? record.brokerId : -1;
}

/** See the head of this file. It runs from its construction until `crash`. */
export class MetadataNode {
  readonly records: MetadataRecord[] = [];
  position = 0;
  election: ControllerElection | null = null;
  #log: EtcdMetadataLog | null = null;
  #isReading = false;
  #hasMore = false;
  isDead = false;

  constructor(
    readonly nodeId: number,
    readonly clock: SimClock,
    readonly random: SimRandom,
    readonly logger: Logger,
    readonly client: SimEtcdClient,
    /** The client, or something around it. */
    readonly store: EtcdStore,
    readonly witness: NodeWitness,
    readonly options: NodeOptions,
  ) {}

  /** Runs until the node crashes. */
  async run(): Promise<void> {
    const { clock, random, logger, store } = this;
    const world = { clock, random, logger, store };
    const election = etcdControllerElection(world, CLUSTER, this.nodeId, LEASE_TTL_MS);
    while (this.#log === null) {
      try {
        const expected = { cluster: CLUSTER, newClusterId: "AAAAAAAAAAAAAAAAAAAAEQ" };
        this.#log = (await openEtcdMetadataLog(world, expected, election)).log;
      } catch (error) {
        if (!(error instanceof OperatorError) || error.exitCode !== 3) throw error;
      }
    }
    this.election = election;
    this.#log.onAppend(() => void this.#read());
    election.campaign({
      onElected: (term) => {
        this.witness.elected(this, term);
        this.#govern(term).catch((error: unknown) => this.#fail(error));
      },
      onLost: (reason) => this.witness.note(`node ${this.nodeId} lost: ${reason}`),
    }, { host: "10.0.0.1", port: this.nodeId });
    await this.#read();
  }

  #failure: unknown = null;

  #fail(error: unknown): void {
    if (!this.isDead) this.#failure ??= error;
  }

  /** Throws what the node has failed with. */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  crash(): void {
    this.isDead = true;
    this.client.isDead = true;
  }

  /** Reads to the end; one at a time. */
  async #read(): Promise<void> {
    this.#hasMore = true;
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#hasMore && !this.isDead) {
        this.#hasMore = false;
        await this.#readOnce();
      }
    } catch (error) {
      if (!(error instanceof MetadataUnavailableError)) return this.#fail(error);
      this.#hasMore = true;
      this.clock.setTimer(RETRY_MS, () => {
        if (!this.isDead) void this.#read();
      });
    } finally {
      this.#isReading = false;
    }
  }

  async #readOnce(): Promise<void> {
    const log = this.#log;
    if (log === null) return;
    const found = await log.read(this.position);
    if (found.kind === "gone") return await this.#readSnapshot(log);
    for (const change of found.changes) this.#take(change);
    if (found.changes.length > 0) this.#hasMore = true;
  }

  #take(change: MetadataChange): void {
    const before = this.records.length;
    this.records.push(...change.records);
    this.position = change.position;
    this.witness.read(this, before);
  }

  async #readSnapshot(log: EtcdMetadataLog): Promise<void> {
    const snapshot = await log.readSnapshot();
    expect(snapshot !== null, "changes are gone and there is no snapshot");
    expect(snapshot.position > this.position, "the snapshot is older than what was read");
    this.records.splice(0, Infinity, ...snapshot.records);
    this.position = snapshot.position;
    this.#hasMore = true;
    this.witness.read(this, 0);
  }

  /** Appends until the office is lost. */
  async #govern(term: number): Promise<void> {
    const log = this.#log;
    if (log === null) return;
    await sleep(this.clock, this.random.below(this.options.firstAppendMs + 1));
    while (!this.isDead && this.election?.term === term) {
      await sleep(this.clock, this.random.below(this.options.appendEveryMs));
      if (this.isDead) return;
      await this.#append(log);
      if (this.random.chance(this.options.snapshotPercent)) await this.#snapshot(log);
    }
  }

  async #append(log: EtcdMetadataLog): Promise<void> {
    const { witness, random } = this;
    const ids = Array.from({ length: random.between(1, 3) }, () => witness.nextRecordId());
    const rack = random.chance(this.options.largePercent) ? "x".repeat(LARGE_BYTES) : null;
    const records = ids.map((brokerId): MetadataRecord => aloneBroker(brokerId, rack));
    for (const id of ids) witness.appending(id);
    const result = await log.append(this.position, records);
    if (this.isDead) return;
    if (result.ok) {
      for (const id of ids) witness.acknowledged(id, result.position);
    } else if (result.reason === "conflict") {
      for (const id of ids) witness.refused(id);
    }
    await this.#read();
  }

  async #snapshot(log: EtcdMetadataLog): Promise<void> {
    // Large records stay so only at the end, so that runs stay short.
    const records = this.records.map((record, index): MetadataRecord =>
      record.type === "broker" && index < this.records.length - 10
        ? { ...record, rack: null }
        : record
    );
    try {
      await log.writeSnapshot({ position: this.position, records });
    } catch (error) {
      if (!(error instanceof MetadataUnavailableError)) throw error;
    }
  }
}
