/**
 * Members of a share group of the simulated cluster, which accept what they get, one record after
 * the other.
 */
import { ShareConsumer } from "../../client/share-consumer.ts";
import { Client, type ClientOptions } from "./cluster-clients.ts";
import { partitionKey } from "./cluster-history.ts";
import { Violation } from "./violation.ts";

/** Records of a commit, at most. */
const BATCH = 10;

/** See the head of the file, and `Acceptances` for what must not happen. */
export class Sharer extends Client {
  constructor(options: ClientOptions, readonly groupId: string) {
    super(options);
  }

  protected override async live(): Promise<void> {
    const { io, random, history, topic } = this.options;
    const consumer = new ShareConsumer(io, {
      ...this.common,
      groupId: this.groupId,
      acknowledgement: "explicit",
    });
    consumer.subscribe([topic]);
    const ending = new AbortController();
    void this.endAfter(random.between(5000, 60_000), ending);
    // So much was accepted before any record was fetched that this life has now, or will have.
    let before = history.accepted.size;
    try {
      while (!ending.signal.aborted) {
        const held = new Map<string, { readonly partition: number; readonly offset: number }>();
        const most = random.between(1, BATCH);
        // Else acceptances go along with a fetch, and nothing that was fetched is known to be new.
        const stops = random.chance(50);
        while (held.size < most && !(stops && held.size > 0 && consumer.buffered === 0)) {
          const record = await consumer.next(ending.signal);
          if (record === null) return;
          const { partition } = record;
          const offset = Number(record.offset);
          const key = `${partitionKey(topic, partition)}@${offset}`;
          if (consumer.acknowledgeIfHeld(record)) held.set(key, { partition, offset });
        }
        const failures = await consumer.commit(ending.signal);
        for (const [key, { partition, offset }] of held) {
          const isLost = failures.some((each) =>
            each.partition === partition && each.offsets.includes(offset)
          );
          if (!isLost) history.accepted.add(key, before);
        }
        // No fetch is under way after a commit.
        if (consumer.buffered === 0) before = history.accepted.size;
      }
    } catch (error) {
      if (!ending.signal.aborted || error instanceof Violation) throw error;
    } finally {
      ending.abort();
      await consumer.close();
    }
  }
}
