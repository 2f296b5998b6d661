/** Bits that flip on the disk, and what is left on it of the model's batches. */
import type { LossMode } from "./faulty-disk.ts";
import type { ModelBatch } from "./storage-model.ts";
import type { StorageWorld } from "./storage-world.ts";

const BASE_OFFSET_BYTES = 8;
/** Bytes 12 to 15 of a batch, the leader epoch, are under no checksum in Kafka's format. */
const UNCHECKED = { from: 12, to: 16 };

/** Whether the batch is somewhere on the disk, whole. */
export function isOnDisk(world: StorageWorld, batch: ModelBatch): boolean {
  for (const [path, node] of world.disk.files()) {
    if (path.endsWith(".log") && Buffer.from(node.cache).includes(batch.bytes)) return true;
  }
  return false;
}

/** Flips bits in logs and offset indexes; returns the batches that were hit. */
export function flipBits(world: StorageWorld, mode: LossMode): Set<ModelBatch> {
  const hit = new Set<ModelBatch>();
  const files = [...world.disk.files()].filter(([path, node]) =>
    /\.(log|index)$/.test(path) && node.cache.length > 0 && !path.includes("-delete")
  );
  const count = world.random.below(world.options.flipsMax + 1);
  for (let left = count; left > 0 && files.length > 0; left--) {
    const [, node] = world.random.pick(files);
    const at = world.random.below(node.cache.length);
    const owner = batchAt(world, node.cache, at);
    if (owner !== null && owner.within >= UNCHECKED.from && owner.within < UNCHECKED.to) continue;
    // No CRC covers a base offset: what lies around it has to show that it is wrong.
    const isLonely = count === 1 && mode !== "sectors";
    if (owner !== null && owner.within < BASE_OFFSET_BYTES && !isLonely) continue;
    const bytes = node.cache.slice();
    bytes[at] = bytes[at]! ^ (1 << world.random.below(8));
    node.cache = bytes;
    node.durable = bytes;
    if (owner !== null) hit.add(owner.batch);
  }
  return hit;
}

function batchAt(
  world: StorageWorld,
  bytes: Uint8Array,
  at: number,
): { batch: ModelBatch; within: number } | null {
  for (const model of world.models) {
    for (const batch of model.batches) {
      const start = Buffer.from(bytes).indexOf(batch.bytes);
      if (start >= 0 && start <= at && at < start + batch.bytes.length) {
        return { batch, within: at - start };
      }
    }
  }
  return null;
}
