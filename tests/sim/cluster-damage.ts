/** A bit that flips in a replica of the simulated cluster. */
import { batchSizeAt } from "../../core/records/batch-header.ts";
import type { ClusterNode } from "./cluster-node.ts";
import type { SimRandom } from "./sim-random.ts";

/** The header of a batch: without it nobody could say which one is damaged. */
const HEADER_BYTES = 61;

/** Flips a bit in the records of a batch on a broker that is down; says where, or null: there are none. */
export function flipBit(node: ClusterNode, random: SimRandom): string | null {
  const places = [...node.disk.files()].flatMap(([path, inode]) => {
    if (!path.endsWith(".log") || path.includes("-delete/")) return [];
    return batchesIn(inode.cache).map((batch) => ({ path, inode, ...batch }));
  });
  if (places.length === 0) return null;
  const { path, inode, position, sizeBytes } = random.pick(places);
  const at = position + random.between(HEADER_BYTES, sizeBytes - 1);
  const bit = 1 << random.below(8);
  for (const side of ["cache", "durable"] as const) {
    const bytes = inode[side].slice();
    if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ bit;
    inode[side] = bytes;
  }
  return `${path} at ${at}`;
}

function batchesIn(bytes: Uint8Array): { readonly position: number; readonly sizeBytes: number }[] {
  const batches: { position: number; sizeBytes: number }[] = [];
  for (let position = 0;;) {
    const sizeBytes = batchSizeAt(bytes, position);
    if (sizeBytes === 0) return batches;
    if (sizeBytes > HEADER_BYTES) batches.push({ position, sizeBytes });
    position += sizeBytes;
  }
}
