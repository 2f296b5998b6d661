/** What the tests against a real etcd share. */
import { type EtcdHttpOptions, EtcdHttpStore } from "../../../cluster/etcd/etcd-http-store.ts";
import { type EtcdMetadataLog } from "../../../cluster/etcd/etcd-metadata-log.ts";
import { type EtcdWorld, openEtcdMetadataLog } from "../../../cluster/etcd/open-etcd.ts";
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

export function idOf(each: MetadataRecord): number {
  return each.type === "broker" ? each.brokerId : -1;
}

/** Resolves when the condition holds; looks again whenever the log tells of more. */
export async function until(what: string, holds: () => boolean, timeoutMs = 15_000): Promise<void> {
  const deadlineMs = bunClock.monotonicMs() + timeoutMs;
  while (!holds()) {
    if (bunClock.monotonicMs() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise<void>((resolve) => void bunClock.setTimer(10, resolve));
  }
}
