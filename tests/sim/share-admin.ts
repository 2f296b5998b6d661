/** What administrators do to a share group and its topic: delete records, set offsets. */
import { deleteRecordsHandler } from "../../broker/handlers/21-delete-records.ts";
import { alterShareGroupOffsetsHandler } from "../../broker/handlers/91-alter-share-group-offsets.ts";
import { Errors } from "../../core/errors.ts";
import { type BrokerWorld, CrashedError } from "./broker-world.ts";
import { GROUP, TOPIC } from "./share-member.ts";
import type { ShareModel } from "./share-model.ts";

/** See the head of this file. */
export class ShareAdmin {
  constructor(
    readonly world: BrokerWorld,
    readonly model: ShareModel,
    readonly partitions: number,
  ) {}

  /** Deletes the first records of a partition. */
  async deleteRecords(): Promise<void> {
    const { clock } = this.world;
    const { partition, offset } = this.#place();
    this.model.deleting(partition, offset);
    await orCrash(async () => {
      const answer = await this.world.connect()(deleteRecordsHandler, 2, {
        topics: [{
          name: TOPIC,
          partitions: [{ partitionIndex: partition, offset: BigInt(offset) }],
        }],
        timeoutMs: 30_000,
      });
      const { errorCode } = answer.topics[0]!.partitions[0]!;
      if (errorCode === Errors.NONE) this.model.deleted(partition, offset, clock.monotonicMs());
    });
  }

  /** Has the group go on elsewhere, if it has no members. */
  async alterOffsets(): Promise<void> {
    const { clock } = this.world;
    const { partition, offset } = this.#place();
    let isDone: boolean | null = false;
    await orCrash(async () => {
      isDone = null;
      const answer = await this.world.connect()(alterShareGroupOffsetsHandler, 0, {
        groupId: GROUP,
        topics: [{
          topicName: TOPIC,
          partitions: [{ partitionIndex: partition, startOffset: BigInt(offset) }],
        }],
      });
      if (answer.errorCode === Errors.NON_EMPTY_GROUP) isDone = false;
      else if (answer.errorCode === Errors.NONE) {
        const { errorCode } = answer.responses[0]!.partitions[0]!;
        if (errorCode === Errors.NONE) isDone = true;
      }
    });
    if (isDone === null) this.model.mayBeAltered(partition, offset);
    else if (isDone) this.model.altered(partition, offset, clock.monotonicMs());
  }

  #place(): { partition: number; offset: number } {
    const { random } = this.world;
    const partition = random.below(this.partitions);
    return { partition, offset: random.below(this.model.endOf(partition) + 1) };
  }
}

/** A process that goes meanwhile answers nothing. */
async function orCrash(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof CrashedError)) throw error;
  }
}
