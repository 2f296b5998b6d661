/**
 * Cost of decoding and encoding common messages, compiled and interpreted: `bun bench/codec.ts`.
 * The interpreter is the tests' oracle, written to be simple; the ratio shows what compiling is
 * worth at most.
 */
import { fetch } from "../core/protocol/01-fetch.ts";
import { produce } from "../core/protocol/00-produce.ts";
import { metadata } from "../core/protocol/03-metadata.ts";
import { decodeData, encodeData, joinChunks } from "../core/protocol/codec.ts";
import { interpretDecode, interpretEncode } from "../core/protocol/interpreter.test-helper.ts";
import type { Message } from "../core/protocol/schema.ts";

const ROUND_MS = Number(process.argv[2] ?? 300);
const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ";

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

interface Sample {
  readonly name: string;
  readonly message: Message;
  readonly version: number;
  readonly value: Record<string, unknown>;
}

const records = new Uint8Array(2048);
const SAMPLES: readonly Sample[] = [
  {
    name: "Produce request v11, 1 partition",
    message: produce.request,
    version: 11,
    value: {
      acks: -1,
      topicData: [{ name: "orders", partitionData: [{ index: 0, records }] }],
    },
  },
  {
    name: "Produce response v11, 1 partition",
    message: produce.response,
    version: 11,
    value: {
      responses: [{ name: "orders", partitionResponses: [{ index: 0, baseOffset: 123_456n }] }],
    },
  },
  {
    name: "Produce request v11, 24 partitions",
    message: produce.request,
    version: 11,
    value: {
      acks: -1,
      topicData: times(2, (topic) => ({
        name: `orders-${topic}`,
        partitionData: times(12, (index) => ({ index, records })),
      })),
    },
  },
  {
    name: "Fetch request v17, 12 partitions",
    message: fetch.request,
    version: 17,
    value: {
      topics: [{
        topicId: TOPIC_ID,
        partitions: times(12, (partition) => ({ partition, fetchOffset: 123_456n })),
      }],
    },
  },
  {
    name: "Fetch response v17, 12 partitions",
    message: fetch.response,
    version: 17,
    value: {
      responses: [{
        topicId: TOPIC_ID,
        partitions: times(12, (partitionIndex) => ({ partitionIndex, highWatermark: 9n, records })),
      }],
    },
  },
  {
    name: "Metadata response v12, 20 × 12 partitions",
    message: metadata.response,
    version: 12,
    value: {
      brokers: times(3, (nodeId) => ({ nodeId, host: `broker-${nodeId}.example.com`, port: 9092 })),
      clusterId: "kstream-cluster",
      topics: times(20, (topic) => ({
        name: `a-topic-of-some-length-${topic}`,
        topicId: TOPIC_ID,
        partitions: times(12, (partitionIndex) => ({
          partitionIndex,
          replicaNodes: [0, 1, 2],
          isrNodes: [0, 1, 2],
        })),
      })),
    },
  },
];

/** Microseconds for one run, from the fastest of five rounds. */
function measure(run: () => unknown): number {
  let best = Infinity;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    let count = 0;
    while (performance.now() - start < ROUND_MS / 5) {
      for (let i = 0; i < 50; i++) run();
      count += 50;
    }
    best = Math.min(best, (performance.now() - start) * 1000 / count);
  }
  return best;
}

console.log(
  "µs per message                              decode  interp  ratio  encode  interp  ratio",
);
for (const { name, message, version, value } of SAMPLES) {
  const bytes = joinChunks(encodeData(message, version, value));
  const complete = decodeData(message, version, bytes) as Record<string, unknown>;
  const figures = [
    measure(() => decodeData(message, version, bytes)),
    measure(() => interpretDecode(message, version, bytes)),
    measure(() => encodeData(message, version, complete)),
    measure(() => interpretEncode(message, version, complete)),
  ] as const;
  const [decode, decodeSlow, encode, encodeSlow] = figures;
  const columns = [
    decode,
    decodeSlow,
    decodeSlow / decode,
    encode,
    encodeSlow,
    encodeSlow / encode,
  ];
  console.log(name.padEnd(42) + columns.map((n) => n.toFixed(2).padStart(8)).join(""));
}
