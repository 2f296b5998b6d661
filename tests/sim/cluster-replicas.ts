/**
 * What must hold between the brokers of the simulated cluster at any moment: below a high watermark
 * all logs have the same batches, for good; an epoch has one leader; everybody's metadata are a
 * prefix of one history.
 */
import type { MetadataImage } from "../../cluster/metadata-image.ts";
import {
  baseOffset,
  batchSizeAt,
  batchSizeBytes,
  crcMatches,
  lastOffset,
  partitionLeaderEpoch,
  storedCrc,
} from "../../core/records/batch-header.ts";
import { atOnce } from "../../core/steps.ts";
import { type ClusterNode, DATA_DIRS } from "./cluster-node.ts";
import { expect, Violation } from "./violation.ts";

/** A batch that was below a high watermark. */
interface SettledBatch {
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  readonly crc: number;
  readonly node: number;
}

/** See the head of this file. */
export class ClusterReplicas {
  /** By topic id and index, then by base offset. */
  readonly #settled = new Map<string, Map<number, SettledBatch>>();
  /** Where the settled batches of a partition end. */
  readonly #ends = new WeakMap<Map<number, SettledBatch>, number>();
  /** Up to where a replica has been looked at, by the partition as its process has it. */
  readonly #seen = new WeakMap<object, number>();
  readonly #leaders = new Map<string, number>();
  readonly #images = new Map<number, { readonly digest: string; readonly node: number }>();
  /** The newest image that anybody has. */
  newest: MetadataImage | null = null;

  /** Looks at what has come below the high watermarks of a node since the last time. */
  observe(node: ClusterNode): void {
    if (node.running === null) return;
    for (const partition of node.running.broker.partitions.opened()) {
      if (partition.closed || partition.failed) continue;
      const { topic, topicId, index, highWatermark } = partition;
      const from = Math.max(this.#seen.get(partition) ?? 0, partition.logStartOffset);
      if (highWatermark <= from) continue;
      const key = `${topicId}:${index}`;
      let settled = this.#settled.get(key);
      if (settled === undefined) this.#settled.set(key, settled = new Map());
      const name = `${topic}-${index}`;
      for (const batch of batchesOf(node, name)) {
        if (batch.end <= from) continue;
        if (batch.end > highWatermark) break;
        this.#compare(node, name, settled, batch);
      }
      this.#seen.set(partition, highWatermark);
    }
  }

  #compare(
    node: ClusterNode,
    name: string,
    settled: Map<number, SettledBatch>,
    { bytes, position, end }: PlacedBatch,
  ): void {
    const base = baseOffset(bytes, position);
    const batch: SettledBatch = {
      lastOffset: end - 1,
      leaderEpoch: partitionLeaderEpoch(bytes, position),
      crc: storedCrc(bytes, position),
      node: node.id,
    };
    const known = settled.get(base);
    if (known === undefined) {
      const ends = this.#ends.get(settled) ?? base;
      expect(
        base >= ends,
        `${name}@${base} is on broker ${node.id} ${JSON.stringify(batch)}, and other batches ` +
          `reach to ${ends}`,
      );
      this.#ends.set(settled, end);
      return void settled.set(base, batch);
    }
    const isSame = known.lastOffset === batch.lastOffset && known.crc === batch.crc &&
      known.leaderEpoch === batch.leaderEpoch;
    expect(
      isSame,
      `${name}@${base} is on broker ${node.id} ${JSON.stringify(batch)}, and was ` +
        JSON.stringify(known),
    );
  }

  /** A node has another image in force. */
  observeImage(node: ClusterNode, image: MetadataImage): void {
    for (const topic of image.topics.values()) {
      topic.partitions.forEach(({ leader, leaderEpoch }, index) => {
        if (leader < 0) return;
        const key = `${topic.id}:${index}:${leaderEpoch}`;
        const known = this.#leaders.get(key) ?? leader;
        this.#leaders.set(key, leader);
        expect(
          known === leader,
          `${topic.name}-${index} has ${known} and ${leader} as leaders in epoch ${leaderEpoch}`,
        );
      });
    }
    const digest = Bun.hash(JSON.stringify(atOnce(image.toRecordsSteps()))).toString(16);
    const known = this.#images.get(image.position);
    expect(
      known === undefined || known.digest === digest,
      `brokers ${known?.node} and ${node.id} differ in what position ${image.position} is`,
    );
    this.#images.set(image.position, { digest, node: node.id });
    if (image.position >= (this.newest?.position ?? 0)) this.newest = image;
  }

  /** All replicas of all partitions have the same bytes; nothing may be written meanwhile. */
  checkEqual(nodes: readonly ClusterNode[]): void {
    const copies = new Map<string, { bytes: (Uint8Array | null)[]; readonly node: number }>();
    for (const node of nodes) {
      for (const partition of node.running?.broker.partitions.opened() ?? []) {
        const name = `${partition.topic}-${partition.index}`;
        const start = partition.logStartOffset;
        const batches = [...batchesOf(node, name)]
          .filter(({ end }) => end > start)
          .map(({ bytes, position }) =>
            // A bit has flipped that nobody has read since.
            node.wasDamaged && !crcMatches(bytes, position)
              ? null
              : bytes.subarray(position, position + batchSizeBytes(bytes, position))
          );
        const key = `${name} from ${start}`;
        const copy = copies.get(key);
        if (copy === undefined) {
          copies.set(key, { bytes: batches, node: node.id });
          continue;
        }
        const isSame = copy.bytes.length === batches.length &&
          copy.bytes.every((one, index) => {
            const other = batches[index] ?? null;
            return one === null || other === null || Buffer.compare(one, other) === 0;
          });
        expect(isSame, `${name} is not the same on the brokers ${copy.node} and ${node.id}`);
        copy.bytes = copy.bytes.map((one, index) => one ?? batches[index] ?? null);
      }
    }
  }
}

interface PlacedBatch {
  readonly bytes: Uint8Array;
  readonly position: number;
  /** The offset behind it. */
  readonly end: number;
}

/** The batches of a log as the disk has them, in order. */
function* batchesOf({ disk, id }: ClusterNode, name: string): Generator<PlacedBatch> {
  const prefixes = DATA_DIRS.map((path) => `${path}/${name}/`);
  const files = [...disk.files()]
    .filter(([path]) => path.endsWith(".log") && prefixes.some((prefix) => path.startsWith(prefix)))
    .toSorted(([a], [b]) => a < b ? -1 : 1);
  for (const [path, { cache: bytes }] of files) {
    let position = 0;
    for (let size; (size = sizeAt(`${id}:${path}`, bytes, position)) > 0; position += size) {
      yield { bytes, position, end: lastOffset(bytes, position) + 1 };
    }
  }
}

function sizeAt(path: string, bytes: Uint8Array, position: number): number {
  try {
    return batchSizeAt(bytes, position);
  } catch (error) {
    throw new Violation(`${path} of ${bytes.length} bytes: ${String(error)}`);
  }
}
