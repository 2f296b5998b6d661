/** A share coordinator's shard in its runtime, over a log in memory and a clock moved by hand. */
import { Errors } from "../../../core/errors.ts";
import { ListLogger, ManualClock, MemoryLog } from "../coordinator.test-helper.ts";
import { ShareCoordinator } from "./share-coordinator.ts";
import type { ShareKey } from "./share-records.ts";
import type { ShareWrite } from "./share-shard.ts";

/** The id of the one topic there is; it has two partitions. */
export const TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ";

export const shareKey = (partition = 0, groupId = "g"): ShareKey => ({
  groupId,
  topicId: TOPIC_ID,
  partition,
});

/** A write that changes nothing but what is given. */
export const shareWrite = (given: Partial<ShareWrite>): ShareWrite => ({
  stateEpoch: 0,
  leaderEpoch: 0,
  startOffset: -1,
  deliveryCompleteCount: -1,
  stateBatches: [],
  ...given,
});

/** See the header. */
export class ShareStateHarness {
  readonly logger = new ListLogger();
  /** Topics by id, with the number of their partitions. */
  readonly topics = new Map([[TOPIC_ID, 2]]);
  updatesPerSnapshot = 3;
  coordinator!: ShareCoordinator;

  constructor(readonly log = new MemoryLog(), readonly clock = new ManualClock()) {}

  /** Loads the log; also as a restart that keeps nothing but the log. */
  async start(): Promise<this> {
    this.coordinator?.close();
    this.coordinator = new ShareCoordinator({
      clock: this.clock,
      logger: this.logger,
      codecs: {},
      writeTimeoutMs: 5_000,
      updatesPerSnapshot: () => this.updatesPerSnapshot,
      topic: {
        partitionCount: () => 1,
        ensure: () => Promise.resolve(Errors.NONE),
        led: () => new Map([[0, this.log]]),
        nodeId: 1,
        leader: () => 1,
      },
      partitionCount: (topicId) => this.topics.get(topicId),
    });
    this.coordinator.follow();
    const found = this.coordinator.find(shareKey());
    let loaded = false;
    void found.then(() => loaded = true);
    while (!loaded) await this.clock.advance(0);
    return this;
  }
}
