/** Another cluster, whose groups and whose life are told of here. */
import { Admin, Producer } from "../../../../client/index.ts";
import { readCheckpoint, writeOffsetSync } from "../../../../connect/connectors/mirror/records.ts";
import { startBroker } from "../processes.ts";
import type { Item, SystemKind } from "../system.ts";
import { io } from "../topics.ts";

const TOPIC = "items";
const SYNCS = "mm2-offset-syncs.here.internal";
const EVERY_SECOND = "1";

const configOf = (kind: string, bootstrap: string) => ({
  "connector.class": `mirror-${kind}`,
  "source.cluster.alias": "there",
  "target.cluster.alias": "here",
  "source.cluster.bootstrap.servers": bootstrap,
});

/** An item and the offset behind it in the topic that groups read. */
interface Read extends Item {
  readonly next: number;
}

/**
 * Each key is a group, which has read an item once its offset is behind that; as a mirror would, the
 * scenario says that the copy has the same offsets. A checkpoint stands for all before it, and must never
 * be further than the group.
 */
export const MIRROR_CHECKPOINT: SystemKind = {
  name: "mirror-checkpoint",
  need: () => Promise.resolve(null),
  async open({ folder }) {
    const broker = await startBroker(folder, [`${TOPIC}:1`, `${SYNCS}:1`]);
    const client = { brokers: [broker.bootstrap] };
    const admin = new Admin(io, client);
    const producer = new Producer(io, client);
    const read = new Map<string, Read[]>();
    let end = 0;
    return {
      kind: "source",
      claim: "at-least-once",
      topic: "there.checkpoints.internal",
      config: {
        ...configOf("checkpoint", broker.bootstrap),
        topics: TOPIC,
        groups: "k.*",
        "refresh.groups.interval.seconds": EVERY_SECOND,
        "emit.checkpoints.interval.seconds": EVERY_SECOND,
        "admin.timeout.ms": "5000",
      },
      otherConfig: { "emit.checkpoints.interval.seconds": "2" },
      outage: { down: () => broker.kill(), up: () => broker.restart() },
      setSlow: null,
      feed: async (items) => {
        end += items.length;
        for (const item of items) {
          read.set(item.key, [...read.get(item.key) ?? [], { ...item, next: end }]);
        }
        const sync = { topic: TOPIC, partition: 0, upstream: end, downstream: end };
        const record = { topic: SYNCS, partition: 0, ...writeOffsetSync(sync) };
        await untilDone(() => producer.send(record));
        for (const group of new Set(items.map(({ key }) => key))) {
          const offset = { topic: TOPIC, partition: 0, offset: BigInt(end) };
          await untilDone(() => admin.groups.alterOffsets(group, [offset]));
        }
      },
      feedBad: null,
      itemsOf: (records) => {
        const told = new Map<string, number>();
        return records.flatMap(({ key, value }) => {
          const checkpoint = readCheckpoint(key, value);
          if (checkpoint === null) return [{ key: "no checkpoint", n: 0 }];
          const { group, upstream, downstream } = checkpoint;
          if (downstream > upstream) return [{ key: `${group}, too far`, n: downstream }];
          const before = told.get(group) ?? 0;
          told.set(group, Math.max(before, downstream));
          return (read.get(group) ?? []).filter(({ next }) => next > before && next <= downstream);
        });
      },
      close: async () => {
        admin.close();
        await producer.close();
        await broker.end();
      },
    };
  },
};

async function untilDone(work: () => Promise<unknown>): Promise<void> {
  while (!await work().then(() => true, () => false)) await Bun.sleep(50);
}

/** A heartbeat stands for all that was given since the one before. */
export const MIRROR_HEARTBEAT: SystemKind = {
  name: "mirror-heartbeat",
  need: () => Promise.resolve(null),
  async open({ folder }) {
    const broker = await startBroker(folder, []);
    const given: (Item & { readonly atMs: number })[] = [];
    return {
      kind: "source",
      claim: "at-least-once",
      topic: "heartbeats",
      config: {
        ...configOf("heartbeat", broker.bootstrap),
        "emit.heartbeats.interval.seconds": EVERY_SECOND,
      },
      otherConfig: { "emit.heartbeats.interval.seconds": "2" },
      outage: { down: () => broker.kill(), up: () => broker.restart() },
      setSlow: null,
      feed: (items) => {
        given.push(...items.map((item) => ({ ...item, atMs: Date.now() })));
        return Promise.resolve();
      },
      feedBad: null,
      itemsOf: (records) => {
        let told = 0;
        return records.flatMap(({ timestampMs }) => {
          const from = told;
          while (told < given.length && given[told]!.atMs <= timestampMs) told++;
          return given.slice(from, told);
        });
      },
      close: () => broker.end(),
    };
  },
};
