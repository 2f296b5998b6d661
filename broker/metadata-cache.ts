import type { MetadataDelta, MetadataImage, TopicImage } from "../cluster/metadata-image.ts";
import { MetadataImage as Image } from "../cluster/metadata-image.ts";
import { ALL_BROKERS } from "../cluster/metadata-image.ts";
import { deltaSteps } from "../cluster/metadata-delta.ts";
import type { MetadataRecord } from "../cluster/metadata-records.ts";
import type { Steps } from "../core/steps.ts";
import type { BrokerConfig } from "./config/broker-config.ts";
import { TopicConfig } from "./config/topic-config.ts";

/** Told of every change of the image, in order, before anybody is answered. */
export type MetadataListener = (delta: MetadataDelta, image: MetadataImage) => void;

/**
 * The cluster as this broker knows it: the current image, and who follows it. Listeners run at
 * once, in the order of their subscription: when `publish` has returned, the partitions of a new
 * topic are hosted and can be written, those of a deleted one are gone.
 */
export class MetadataCache {
  #image = Image.EMPTY;
  readonly #listeners = new Set<MetadataListener>();

  /** `config` is kept at what the image says about broker configs. */
  constructor(readonly config: BrokerConfig, readonly nodeId: number) {}

  get image(): MetadataImage {
    return this.#image;
  }

  topic(name: string): TopicImage | undefined {
    return this.#image.topics.get(name);
  }

  topicById(id: string): TopicImage | undefined {
    return this.#image.topicsById.get(id);
  }

  /** The topic's configuration now; one taken earlier does not follow changes. */
  topicConfig(topic: TopicImage): TopicConfig {
    return new TopicConfig(this.config, topic.configs);
  }

  /** Calls back on every later change. Returns the function that ends it. */
  onChange(listener: MetadataListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * In steps: puts what these records make of an empty image in force, in place of the present image,
   * which has fallen behind what the log still has. Nobody else may publish meanwhile.
   */
  *replaceSteps(records: readonly MetadataRecord[], position: number): Steps<void> {
    const { image } = yield* Image.EMPTY.applySteps(records, position);
    this.publish(image, yield* deltaSteps(this.#image, image));
  }

  /** Puts a new image in force. Only the follower of the metadata log calls this. */
  publish(image: MetadataImage, delta: MetadataDelta): void {
    this.#image = image;
    if (delta.brokerConfigsChanged) {
      this.config.setDynamic(
        image.brokerConfigs(ALL_BROKERS),
        image.brokerConfigs(String(this.nodeId)),
      );
    }
    for (const listener of this.#listeners) listener(delta, image);
  }
}
