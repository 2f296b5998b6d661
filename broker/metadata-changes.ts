/** Changes of the cluster's metadata that any broker asks for, whether it is the controller or not. */
import type { TopicImage } from "../cluster/metadata-image.ts";
import type { Outcome } from "./outcome.ts";
import type { NewTopic } from "./plan-topics.ts";
import type { MutationQuota } from "./quotas/client-quota-manager.ts";

/** How a change is to be made. */
export interface ChangeOptions {
  /** Checks everything and changes nothing. */
  readonly validateOnly?: boolean;
  /** How long the caller waits; the change itself goes on. */
  readonly timeoutMs?: number;
  /** The quota that the change is charged to. */
  readonly charge?: MutationQuota["charge"];
}

/** Producer ids from `firstProducerId` on, `count` of them, that nobody else has. */
export interface ProducerIdBlock {
  readonly firstProducerId: number;
  readonly count: number;
}

/**
 * What the parts of a broker ask of the controller. `Controller` is one where the broker is its own
 * cluster; in a cluster it goes over the network. An outcome is in force on this broker.
 */
export interface MetadataChanges {
  /** Creates topics. The value is the topic as it is (to be). */
  createTopics(
    topics: readonly NewTopic[],
    options?: ChangeOptions,
  ): Promise<Outcome<TopicImage>[]>;
  /** The topic, created by the broker's defaults if it is missing. */
  ensureTopic(name: string): Promise<Outcome<TopicImage>>;
  /** The next block of producer ids for this broker; it is durable that they are taken. */
  allocateProducerIds(): Promise<Outcome<ProducerIdBlock>>;
}
