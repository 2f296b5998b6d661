import { expect, test } from "bun:test";
import { EtcdKeys } from "../../cluster/etcd/etcd-layout.ts";
import type { EtcdStore } from "../../cluster/etcd/etcd-store.ts";
import { silentLogger } from "../../core/logger.ts";
import { CLUSTER } from "./metadata-node.ts";
import { MetadataSim } from "./metadata-sim.ts";
import { Violation } from "./violation.ts";

test("a few seeds of the metadata's simulator hold", () => {
  for (let seed = 1; seed <= 10; seed++) new MetadataSim(seed, silentLogger).run();
}, 60_000);

test("the same seed gives the same run of the metadata", () => {
  const traces = [1, 2].map(() => {
    const sim = new MetadataSim(4, silentLogger);
    sim.run();
    return sim.trace.join("\n");
  });
  expect(traces[0]).toBe(traces[1]!);
}, 60_000);

const keys = new EtcdKeys(CLUSTER);

/** A build whose appends do not compare the head. */
const careless = (store: EtcdStore): EtcdStore => ({
  txn: (txn, timeoutMs) => {
    const isAppend = txn.then.some((op) => op.type === "put" && op.key === keys.head);
    const compare = txn.compare.filter(({ key }) => !isAppend || key !== keys.head);
    return store.txn({ ...txn, compare }, timeoutMs);
  },
  watch: (key, fromRevision, listener) => store.watch(key, fromRevision, listener),
  grantLease: (ttlMs, timeoutMs) => store.grantLease(ttlMs, timeoutMs),
  keepLeaseAlive: (id, timeoutMs) => store.keepLeaseAlive(id, timeoutMs),
  revokeLease: (id, timeoutMs) => store.revokeLease(id, timeoutMs),
});

const SEEDS_MAX = 100;

function firstViolation(wrap: (store: EtcdStore) => EtcdStore): string | null {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    try {
      new MetadataSim(seed, silentLogger, wrap).run();
    } catch (error) {
      // Histories that do not fit together are also refused by whoever reads them.
      return error instanceof Violation ? error.message : String(error);
    }
  }
  return null;
}

test("appends that do not compare the head are caught", () => {
  const violation = firstViolation(careless);
  expect(violation).not.toBeNull();
}, 60_000);
