/**
 * systemd's watchdog for shards: systemd watches their supervisor, and the supervisor watches them, with
 * the same patience. A shard whose event loop stands still is killed, and so started again, alone.
 */
import { type Clock, sleep } from "../../../core/io.ts";
import type { ShardProcess } from "./shard-process.ts";

/** Watches them until the signal. `patienceMs`: that of systemd. */
export async function watchShards(
  clock: Clock,
  shards: readonly Pick<ShardProcess, "answers" | "kill">[],
  patienceMs: number,
  until: AbortSignal,
): Promise<void> {
  await Promise.all(shards.map(async (shard) => {
    while (!until.aborted) {
      if (!await shard.answers(patienceMs) && !until.aborted) shard.kill("it does not answer");
      await sleep(clock, patienceMs / 2, until).catch(() => {});
    }
  }));
}
