/**
 * An etcd in memory on virtual time: one linearizable store with revisions, leases and watches. Each
 * client has its own connection to it, on which requests and answers are late or lost by chance,
 * watches break or fall silent, and everything stops while etcd has no quorum. A request that its
 * sender has given up may still arrive.
 */
import type { Clock, Timer } from "../../core/io.ts";
import {
  type EtcdCompare,
  type EtcdEntry,
  type EtcdLease,
  type EtcdOp,
  type EtcdResult,
  type EtcdStore,
  type EtcdTxn,
  type EtcdTxnAnswer,
  type EtcdWatchListener,
  failed,
} from "../../cluster/etcd/etcd-store.ts";
import type { SimRandom } from "./sim-random.ts";

/** What a request may carry and an answer may hold, as etcd's gateway has it. */
const REQUEST_BYTES_MAX = 1_500_000;
const ANSWER_BYTES_MAX = 4 << 20;
const OPS_MAX = 128;

interface Change {
  readonly revision: number;
  readonly key: string;
  readonly entry: EtcdEntry | null;
}

interface Lease {
  readonly id: string;
  readonly ttlMs: number;
  readonly keys: Set<string>;
  expiresMs: number;
  timer: Timer;
}

/** The store. Its methods are what etcd's leader does when a request has reached it. */
export class SimEtcd {
  revision = 1;
  /** No quorum: nothing that arrives is done or answered. */
  isDown = false;
  readonly #entries = new Map<string, EtcdEntry>();
  readonly #leases = new Map<string, Lease>();
  readonly #changes: Change[] = [];
  readonly watchers = new Set<(change: Change) => void>();
  #compacted = 0;
  #nextLease = 1;

  constructor(readonly clock: Clock) {}

  entry(key: string): EtcdEntry | null {
    return this.#entries.get(key) ?? null;
  }

  keys(): string[] {
    return [...this.#entries.keys()].toSorted();
  }

  txn(txn: EtcdTxn): EtcdResult<EtcdTxnAnswer> {
    const ops = [...txn.then, ...txn.otherwise];
    const bytes = ops.reduce((sum, op) => sum + (op.type === "put" ? op.value.length : 0), 0);
    if (bytes > REQUEST_BYTES_MAX) return failed("refused", "etcdserver: request is too large");
    if (Math.max(txn.then.length, txn.otherwise.length) > OPS_MAX) {
      return failed("refused", "etcdserver: too many operations in txn request");
    }
    const succeeded = txn.compare.every((compare) => this.#holds(compare));
    const todo = succeeded ? txn.then : txn.otherwise;
    const noLease = todo.some((op) =>
      op.type === "put" && op.lease !== undefined && !this.#leases.has(op.lease)
    );
    if (noLease) return failed("no-lease", "etcdserver: requested lease not found");
    const revision = this.revision + 1;
    const changes: Change[] = [];
    const results = todo.map((op) => this.#apply(op, revision, changes));
    if (changes.length > 0) this.#publish(revision, changes);
    const size = results.flat().reduce((sum, entry) => sum + entry.value.length, 0);
    if (size > ANSWER_BYTES_MAX) return failed("too-large", "received message larger than max");
    return { ok: true, value: { succeeded, revision: this.revision, results } };
  }

  #holds(compare: EtcdCompare): boolean {
    switch (compare.target) {
      case "create":
        return (this.entry(compare.key)?.createRevision ?? 0) === compare.revision;
      case "mod":
        return (this.entry(compare.key)?.modRevision ?? 0) === compare.revision;
      case "absent":
        return this.#range(compare.key, compare.rangeEnd).length === 0;
    }
  }

  #apply(op: EtcdOp, revision: number, changes: Change[]): readonly EtcdEntry[] {
    switch (op.type) {
      case "range":
        return this.#range(op.key, op.rangeEnd).slice(0, op.limit);
      case "delete":
        for (const { key } of this.#range(op.key, op.rangeEnd)) {
          this.#remove(key, changes, revision);
        }
        return [];
      case "put": {
        const createRevision = this.entry(op.key)?.createRevision ?? revision;
        const value = op.value.slice();
        const entry = { key: op.key, value, createRevision, modRevision: revision };
        this.#entries.set(op.key, entry);
        if (op.lease !== undefined) this.#leases.get(op.lease)?.keys.add(op.key);
        changes.push({ revision, key: op.key, entry });
        return [];
      }
    }
  }

  #range(key: string, rangeEnd: string | undefined): EtcdEntry[] {
    if (rangeEnd === undefined) return [this.entry(key)].filter((entry) => entry !== null);
    return [...this.#entries.values()].filter((entry) => entry.key >= key && entry.key < rangeEnd)
      .toSorted((a, b) => a.key < b.key ? -1 : 1);
  }

  #remove(key: string, changes: Change[], revision: number): void {
    this.#entries.delete(key);
    changes.push({ revision, key, entry: null });
  }

  #publish(revision: number, changes: Change[]): void {
    this.revision = revision;
    this.#changes.push(...changes);
    for (const change of changes) for (const watcher of [...this.watchers]) watcher(change);
  }

  /** Changes of a key from a revision on; null if they have been compacted. */
  changes(key: string, fromRevision: number): Change[] | null {
    if (fromRevision <= this.#compacted) return null;
    return this.#changes.filter((change) => change.key === key && change.revision >= fromRevision);
  }

  /** Forgets the history up to now. */
  compact(): void {
    this.#compacted = this.revision;
    this.#changes.length = 0;
  }

  grantLease(ttlMs: number): EtcdLease {
    const id = String(this.#nextLease++);
    const expiresMs = this.clock.monotonicMs() + ttlMs;
    const timer = this.clock.setTimer(ttlMs, () => this.#expire(id));
    this.#leases.set(id, { id, ttlMs, keys: new Set(), expiresMs, timer });
    return { id, ttlMs };
  }

  keepLeaseAlive(id: string): EtcdLease | null {
    const lease = this.#leases.get(id);
    if (lease === undefined) return null;
    this.#extend(lease);
    return { id, ttlMs: lease.ttlMs };
  }

  #extend(lease: Lease): void {
    lease.timer.cancel();
    lease.expiresMs = this.clock.monotonicMs() + lease.ttlMs;
    lease.timer = this.clock.setTimer(lease.ttlMs, () => this.#expire(lease.id));
  }

  /** Without a quorum nobody can end a lease; a new leader gives each its full time (as etcd does). */
  #expire(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    if (this.isDown) this.#extend(lease);
    else this.revokeLease(id);
  }

  revokeLease(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    lease.timer.cancel();
    this.#leases.delete(id);
    const changes: Change[] = [];
    for (const key of lease.keys) {
      if (this.#entries.has(key)) this.#remove(key, changes, this.revision + 1);
    }
    if (changes.length > 0) this.#publish(this.revision + 1, changes);
  }
}

/** By chance, in percent; latencies in milliseconds. */
export interface EtcdFaults {
  maxLatencyMs: number;
  loseRequest: number;
  loseAnswer: number;
  /** A request arrives up to `delayMs` late. */
  delayRequest: number;
  delayMs: number;
  /** A request arrives twice, and its sender hears of the second time. */
  repeatRequest: number;
  breakWatch: number;
  silenceWatch: number;
}

export const NO_ETCD_FAULTS: EtcdFaults = {
  maxLatencyMs: 2,
  loseRequest: 0,
  loseAnswer: 0,
  delayRequest: 0,
  delayMs: 0,
  repeatRequest: 0,
  breakWatch: 0,
  silenceWatch: 0,
};

/** One process's connection to the store. */
export class SimEtcdClient implements EtcdStore {
  /** Nothing that is sent from now on arrives, in either direction. */
  isCut = false;
  /** The process is gone: none of its calls comes back any more. */
  isDead = false;

  constructor(
    readonly clock: Clock,
    readonly random: SimRandom,
    readonly etcd: SimEtcd,
    readonly faults: EtcdFaults = NO_ETCD_FAULTS,
  ) {}

  txn(txn: EtcdTxn, timeoutMs: number): Promise<EtcdResult<EtcdTxnAnswer>> {
    return this.#call(timeoutMs, () => this.etcd.txn(txn));
  }

  grantLease(ttlMs: number, timeoutMs: number): Promise<EtcdResult<EtcdLease>> {
    return this.#call(timeoutMs, () => ({ ok: true, value: this.etcd.grantLease(ttlMs) }));
  }

  keepLeaseAlive(id: string, timeoutMs: number): Promise<EtcdResult<EtcdLease>> {
    return this.#call<EtcdLease>(timeoutMs, () => {
      const lease = this.etcd.keepLeaseAlive(id);
      return lease === null
        ? failed("no-lease", "etcdserver: requested lease not found")
        : { ok: true, value: lease };
    });
  }

  revokeLease(id: string, timeoutMs: number): Promise<EtcdResult<void>> {
    return this.#call(timeoutMs, () => ({ ok: true, value: this.etcd.revokeLease(id) }));
  }

  watch(key: string, fromRevision: number, listener: EtcdWatchListener): () => void {
    const { etcd, clock } = this;
    let isOver = false;
    let isSilent = false;
    let arrivesMs = 0;
    const later = (run: () => void) => {
      arrivesMs = Math.max(arrivesMs, clock.monotonicMs() + this.#latencyMs());
      clock.setTimer(Math.max(0, arrivesMs - clock.monotonicMs()), () => {
        if (!isOver && !isSilent && !this.isCut && !this.isDead) run();
      });
    };
    const end = () => {
      isOver = true;
      etcd.watchers.delete(tell);
    };
    const endWith = (message: string) => {
      etcd.watchers.delete(tell);
      later(() => {
        end();
        listener.onEnd(message);
      });
    };
    const tell = (change: Change) => {
      if (change.key !== key) return;
      if (this.random.chance(this.faults.silenceWatch)) isSilent = true;
      if (this.random.chance(this.faults.breakWatch)) return endWith("the connection broke");
      // What is sent into a cut is lost, and what comes behind it cannot arrive either.
      if (this.isCut) isSilent = true;
      later(() => listener.onChange(change.entry, change.revision));
    };
    this.clock.setTimer(this.#latencyMs(), () => {
      if (isOver || this.isCut || etcd.isDown) return;
      const missed = etcd.changes(key, fromRevision);
      if (missed === null) return endWith("the revisions have been compacted");
      etcd.watchers.add(tell);
      for (const change of missed) tell(change);
    });
    return end;
  }

  #latencyMs(): number {
    return this.random.below(this.faults.maxLatencyMs * 100 + 1) / 100;
  }

  #call<T>(timeoutMs: number, run: () => EtcdResult<T>): Promise<EtcdResult<T>> {
    const { clock, random, faults } = this;
    const { promise, resolve } = Promise.withResolvers<EtcdResult<T>>();
    const timer = clock.setTimer(timeoutMs, () => {
      if (!this.isDead) resolve(failed("unavailable", `no answer within ${timeoutMs} ms`));
    });
    const isLost = this.isCut || random.chance(faults.loseRequest);
    const lateMs = random.chance(faults.delayRequest) ? random.below(faults.delayMs + 1) : 0;
    if (isLost) return promise;
    clock.setTimer(this.#latencyMs() + lateMs, () => {
      // What was on its way before the cut still arrives.
      if (this.etcd.isDown) return;
      if (random.chance(faults.repeatRequest)) run();
      const answer = run();
      if (random.chance(faults.loseAnswer)) return;
      clock.setTimer(this.#latencyMs(), () => {
        if (this.isDead || this.isCut) return;
        timer.cancel();
        resolve(answer);
      });
    });
    return promise;
  }
}
