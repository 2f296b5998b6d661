/** What the tests against a real etcd share. */
import { type EtcdHttpOptions, EtcdHttpStore } from "../../../cluster/etcd/etcd-http-store.ts";
import { type EtcdMetadataLog } from "../../../cluster/etcd/etcd-metadata-log.ts";
import { type EtcdWorld, openEtcdMetadataLog } from "../../../cluster/etcd/open-etcd.ts";
import type { MetadataLog } from "../../../cluster/metadata-log.ts";
import type { MetadataRecord } from "../../../cluster/metadata-records.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";
import { silentLogger } from "../../../core/logger.ts";

/** Shorter than the defaults, so that tests are. */
export const TIMES = { callMs: 800, operationMs: 15_000, checkMs: 1000 };
export const CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAEQ";

export function worldAt(options: EtcdHttpOptions, times = TIMES): EtcdWorld {
  const store = new EtcdHttpStore(options);
  return { clock: bunClock, random: bunRandom, logger: silentLogger, store, times };
}

let names = 0;

/** A name that no other test has. */
export const freshName = () => `test-${++names}`;

export async function openLog(
  endpoints: readonly string[],
  cluster: string,
  times = TIMES,
): Promise<EtcdMetadataLog> {
  const expected = { cluster, newClusterId: CLUSTER_ID };
  return (await openEtcdMetadataLog(worldAt({ endpoints }, times), expected)).log;
}

export const record = (brokerId: number, rack: string | null = null): MetadataRecord => ({
  type: "broker",
  version: 1,
  brokerId,
  rack,
});

export function idOf(each: MetadataRecord): number {
  return each.type === "broker" ? each.brokerId : -1;
}

/** All records from a position to the end. */
export async function readAll(log: MetadataLog, from = 0): Promise<MetadataRecord[]> {
  const records: MetadataRecord[] = [];
  for (let position = from;;) {
    const read = await log.read(position);
    if (read.kind === "gone") throw new Error(`gone at ${position}`);
    if (read.changes.length === 0) return records;
    for (const change of read.changes) {
      records.push(...change.records);
      position = change.position;
    }
  }
}

/** Resolves when the condition holds; looks again whenever the log tells of more. */
export async function until(what: string, holds: () => boolean, timeoutMs = 15_000): Promise<void> {
  const deadlineMs = bunClock.monotonicMs() + timeoutMs;
  while (!holds()) {
    if (bunClock.monotonicMs() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise<void>((resolve) => void bunClock.setTimer(10, resolve));
  }
}
