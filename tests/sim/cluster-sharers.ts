/** Members of a share group of the simulated cluster, which accept what they get, one record after the other. */
import { ShareConsumer } from "../../client/share-consumer.ts";
import { Client, type ClientOptions } from "./cluster-clients.ts";
import { partitionKey } from "./cluster-history.ts";
import { Violation } from "./violation.ts";

/** Records of a commit, at most. */
const BATCH = 10;

/** See the head of the file. What was accepted must not come again, to whomever. */
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
    try {
      while (!ending.signal.aborted) {
        const held = new Map<string, { readonly partition: number; readonly offset: number }>();
        const most = random.between(1, BATCH);
        while (held.size < most) {
          const record = await consumer.next(ending.signal);
          if (record === null) return;
          const { partition } = record;
          const offset = Number(record.offset);
          const key = `${partitionKey(topic, partition)}@${offset}`;
          if (history.accepted.has(key)) {
            throw new Violation(`${key} was accepted, and comes again`);
          }
          if (consumer.acknowledgeIfHeld(record)) held.set(key, { partition, offset });
        }
        const failures = await consumer.commit(ending.signal);
        for (const [key, { partition, offset }] of held) {
          const isLost = failures.some((each) =>
            each.partition === partition && each.offsets.includes(offset)
          );
          if (!isLost) history.accepted.add(key);
        }
      }
    } catch (error) {
      if (!ending.signal.aborted || error instanceof Violation) throw error;
    } finally {
      ending.abort();
      await consumer.close();
    }
  }
}
