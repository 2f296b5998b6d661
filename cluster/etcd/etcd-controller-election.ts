/**
 * Elects the controller by one key in etcd that belongs to a lease: who creates it is controller
 * until it goes. Safety is not the clock's: each append compares the key's revision of creation. The
 * clock only makes a controller that could not renew its lease stop by itself, no later than etcd
 * may give the office to somebody else; it counts from when it asked, not from the answer.
 *
 * A candidate has another id for each lease, so that the key of a lease that it has given up is
 * somebody else's to it.
 */
import { assert } from "../../core/assert.ts";
import type { HostPort, Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type {
  ControllerElection,
  ElectedController,
  ElectionListener,
} from "../controller-election.ts";
import { MetadataFormatError } from "../metadata-records.ts";
import {
  type ControllerEntry,
  decodeController,
  decodeTerm,
  encodeController,
  encodeTerm,
} from "./etcd-layout.ts";
import type { ElectionFence, Fencing } from "./etcd-metadata-log.ts";
import { entryAt, type EtcdSession } from "./etcd-session.ts";
import type { EtcdEntry } from "./etcd-store.ts";
import { KeyFollower } from "./key-follower.ts";

/** A controller that dies is followed by another after this time; etcd's least is about 2 s. */
export const DEFAULT_LEASE_TTL_MS = 6000;
/** A lease is renewed so often in its time to live. */
const RENEWALS_PER_TTL = 3;
/** So long a renewal may take, so that after one that was lost there is time for others. */
const CALLS_PER_TTL = 4;

interface HeldLease {
  readonly id: string;
  readonly candidateId: string;
  readonly ttlMs: number;
  /** Monotonic. */
  validUntilMs: number;
}

interface Office {
  readonly term: number;
  readonly createRevision: number;
}

/** See the head of this file. */
export class EtcdControllerElection implements ControllerElection, Fencing {
  readonly #session: EtcdSession;
  readonly #logger: Logger;
  readonly #nodeId: number;
  readonly #ttlMs: number;
  readonly #listeners = new Set<() => void>();
  #listener: ElectionListener | null = null;
  #address: HostPort = { host: "", port: 0 };
  #lease: HeldLease | null = null;
  #expiry: Timer | null = null;
  #office: Office | null = null;
  #controller: ElectedController | null = null;
  /** What the key held last; undefined before it was read. */
  #entry: EtcdEntry | null | undefined;
  #seenRevision = 0;
  #isAcquiring = false;
  #wakeKeeper: () => void = () => {};

  /** The session is this election's own: it is closed when the node resigns. */
  constructor(session: EtcdSession, logger: Logger, nodeId: number, ttlMs = DEFAULT_LEASE_TTL_MS) {
    this.#session = session;
    this.#logger = logger;
    this.#nodeId = nodeId;
    this.#ttlMs = ttlMs;
  }

  get term(): number | null {
    return this.#holds() ? this.#office?.term ?? null : null;
  }

  get controller(): ElectedController | null {
    return this.#controller;
  }

  fence(): ElectionFence | null {
    const office = this.#office;
    if (office === null || !this.#holds()) return null;
    const key = this.#session.keys.controller;
    return {
      term: office.term,
      compare: { target: "create", key, revision: office.createRevision },
    };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  campaign(listener: ElectionListener, address: HostPort): void {
    assert(this.#listener === null, "a node stands for election once");
    this.#listener = listener;
    this.#address = address;
    const { keys } = this.#session;
    const follower = new KeyFollower(
      this.#session,
      keys.controller,
      (entry, revision) => this.#see(entry, revision),
    );
    this.#session.onClose(() => this.#wakeKeeper());
    for (const run of [follower.run(), this.#keepLease()]) {
      run.catch((error: unknown) => {
        this.#logger.error("the election of the controller has ended", { error: String(error) });
        this.#lose("the election has ended");
      });
    }
  }

  async depose(controller: ElectedController): Promise<void> {
    const entry = this.#entry ?? null;
    const isKnown = this.#controller?.term === controller.term;
    if (entry === null || !isKnown || this.#office !== null || this.#session.isClosed) return;
    const { keys, store, times } = this.#session;
    await store.txn({
      compare: [{ target: "create", key: keys.controller, revision: entry.createRevision }],
      then: [{ type: "delete", key: keys.controller }],
      otherwise: [],
    }, times.callMs);
  }

  async resign(): Promise<void> {
    const lease = this.#lease;
    this.#lease = null;
    this.#expiry?.cancel();
    this.#lose("it has resigned");
    this.#session.close();
    // Else it ends by itself.
    if (lease !== null) await this.#session.store.revokeLease(lease.id, this.#session.times.callMs);
  }

  #holds(): boolean {
    const lease = this.#lease;
    return lease !== null && this.#session.clock.monotonicMs() < lease.validUntilMs;
  }

  /** Gets a lease and renews it, and gets another one when it has gone. */
  async #keepLease(): Promise<void> {
    for (let failures = 0; !this.#session.isClosed;) {
      const renewed = this.#lease === null ? await this.#grant() : await this.#renew(this.#lease);
      failures = renewed ? 0 : failures + 1;
      if (renewed && this.#entry === null) void this.#acquire();
      if (renewed) await this.#waitForRenewal();
      else await this.#session.pause(failures);
    }
  }

  async #grant(): Promise<boolean> {
    const { clock, store, times } = this.#session;
    const askedMs = clock.monotonicMs();
    const lease = await store.grantLease(this.#ttlMs, times.callMs);
    if (!lease.ok || this.#session.isClosed) return false;
    const { id, ttlMs } = lease.value;
    const candidateId = this.#session.nextId();
    this.#lease = { id, candidateId, ttlMs, validUntilMs: askedMs + ttlMs };
    this.#armExpiry();
    return true;
  }

  async #renew(lease: HeldLease): Promise<boolean> {
    const { clock, store, times } = this.#session;
    const askedMs = clock.monotonicMs();
    const timeoutMs = Math.min(times.callMs, lease.ttlMs / CALLS_PER_TTL);
    const renewed = await store.keepLeaseAlive(lease.id, timeoutMs);
    if (this.#lease !== lease) return false;
    if (renewed.ok) {
      lease.validUntilMs = askedMs + renewed.value.ttlMs;
      this.#armExpiry();
      return true;
    }
    if (renewed.failure.kind === "no-lease") this.#endLease("etcd has ended its lease");
    return false;
  }

  #armExpiry(): void {
    const { clock } = this.#session;
    const lease = this.#lease;
    this.#expiry?.cancel();
    if (lease === null) return;
    this.#expiry = clock.setTimer(lease.validUntilMs - clock.monotonicMs(), () => {
      const seconds = lease.ttlMs / 1000;
      this.#endLease(`it could not renew its lease in etcd for ${seconds} s`);
    });
  }

  #endLease(reason: string): void {
    const lease = this.#lease;
    if (lease === null) return;
    this.#lease = null;
    this.#expiry?.cancel();
    this.#lose(reason);
    this.#wakeKeeper();
    // If etcd still has it, the office becomes free sooner.
    void this.#session.store.revokeLease(lease.id, this.#session.times.callMs);
  }

  #waitForRenewal(): Promise<void> {
    return new Promise((resolve) => {
      const delayMs = (this.#lease?.ttlMs ?? 0) / RENEWALS_PER_TTL;
      const timer = this.#session.clock.setTimer(delayMs, resolve);
      this.#wakeKeeper = () => {
        timer.cancel();
        resolve();
      };
      if (this.#session.isClosed) this.#wakeKeeper();
    });
  }

  /** What the key held in a revision; answers and watches may tell in another order. */
  #see(entry: EtcdEntry | null, revision: number): void {
    if (revision < this.#seenRevision) return;
    this.#seenRevision = revision;
    this.#entry = entry;
    const known = entry === null ? null : this.#decode(entry);
    const isOurs = known !== null && known.id === this.#lease?.candidateId && this.#holds();
    if (entry !== null && isOurs) {
      this.#take({ term: known.term, createRevision: entry.createRevision });
    } else this.#lose("another node may have been elected: its key has gone from etcd");
    this.#setController(known);
    if (entry === null) void this.#acquire();
  }

  #setController(known: ControllerEntry | null): void {
    const before = this.#controller;
    this.#controller = known && { nodeId: known.nodeId, term: known.term, address: known.address };
    if (before?.term === known?.term && before?.nodeId === known?.nodeId) return;
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #decode(entry: EtcdEntry): ControllerEntry | null {
    try {
      return decodeController(entry.value);
    } catch (error) {
      if (!(error instanceof MetadataFormatError)) throw error;
      this.#logger.error("the controller's key in etcd cannot be read", { error: error.message });
      return null;
    }
  }

  /** Tries to create the key, until it is there. */
  async #acquire(): Promise<void> {
    if (this.#isAcquiring) return;
    this.#isAcquiring = true;
    try {
      for (let attempt = 0; this.#entry === null; attempt++) {
        const lease = this.#lease;
        if (lease === null || !this.#holds() || !await this.#acquireOnce(lease)) return;
        if (!await this.#session.pause(attempt)) return;
      }
    } catch (error) {
      if (!(error instanceof MetadataFormatError)) throw error;
      this.#logger.error("nobody can be elected: a key in etcd is damaged", {
        error: error.message,
      });
    } finally {
      this.#isAcquiring = false;
    }
  }

  /** False if the lease was of no use. */
  async #acquireOnce(lease: HeldLease): Promise<boolean> {
    const { keys } = this.#session;
    const { candidateId: id } = lease;
    const ranges = [{ type: "range", key: keys.controller }, {
      type: "range",
      key: keys.term,
    }] as const;
    const read = await this.#session.txn({ compare: [], then: ranges, otherwise: [] });
    if (!read.ok) return true;
    const present = entryAt(read.value, 0);
    if (present !== null) {
      this.#see(present, read.value.revision);
      return true;
    }
    const last = entryAt(read.value, 1);
    const term = (last === null ? 0 : decodeTerm(last.value)) + 1;
    const value = encodeController({
      id,
      nodeId: this.#nodeId,
      term,
      address: this.#address,
    });
    const answer = await this.#session.txn({
      compare: [
        { target: "create", key: keys.controller, revision: 0 },
        { target: "mod", key: keys.term, revision: last?.modRevision ?? 0 },
      ],
      then: [
        { type: "put", key: keys.controller, value, lease: lease.id },
        { type: "put", key: keys.term, value: encodeTerm(term) },
      ],
      otherwise: ranges.slice(0, 1),
    });
    if (!answer.ok) {
      if (answer.failure.kind === "no-lease") this.#endLease("etcd has ended its lease");
      return answer.failure.kind !== "no-lease";
    }
    const { revision, succeeded } = answer.value;
    const entry = { key: keys.controller, value, createRevision: revision, modRevision: revision };
    const found = succeeded ? entry : entryAt(answer.value, 0);
    if (found !== null) this.#see(found, revision);
    return true;
  }

  #take(office: Office): void {
    if (this.#office?.createRevision === office.createRevision) return;
    this.#lose("its key in etcd is another one");
    this.#office = office;
    this.#listener?.onElected(office.term);
  }

  #lose(reason: string): void {
    if (this.#office === null) return;
    this.#office = null;
    this.#listener?.onLost(reason);
    this.#notify();
  }
}
