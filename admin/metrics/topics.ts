/** One walk over the partitions that are here, for all metrics that are sums over them. */
import type { Broker } from "../../broker/broker.ts";
import { Traffic } from "../../broker/metrics/traffic.ts";
import type { TopicTraffic } from "../../broker/partition-set.ts";
import { Slots } from "./slots.ts";

/** How the topics without a place of their own are called together. */
export const OTHER = "other";

/** Sums of one topic, or of those that have no place. */
export class TopicSums {
  /** Partitions that are open here, and how many of them are led from here. */
  partitions = 0;
  led = 0;
  sizeBytes = 0;
  segments = 0;
  readonly traffic = new Traffic();

  constructor(readonly name: string) {}

  add({ partitions, departed }: TopicTraffic): void {
    this.traffic.add(departed);
    for (const partition of partitions) {
      if (partition === undefined) continue;
      this.partitions++;
      if (partition.isLeader) this.led++;
      this.sizeBytes += partition.log.sizeBytes;
      this.segments += partition.log.segmentCount;
      this.traffic.add(partition.traffic);
    }
  }

  addSums(other: TopicSums): void {
    this.partitions += other.partitions;
    this.led += other.led;
    this.sizeBytes += other.sizeBytes;
    this.segments += other.segments;
    this.traffic.add(other.traffic);
  }
}

/** The topics that are shown, the others as one if there are any, and all together. */
export interface TopicsSums {
  readonly shown: readonly TopicSums[];
  readonly all: TopicSums;
}

/** What has to be remembered from one walk to the next. */
export class TopicsMemory {
  /** Which topics are shown. */
  readonly slots = new Slots();
  /** What was shown of the others: it must not shrink when one of them is deleted. */
  readonly others = new Traffic();
}

/** Walks over all topics, of which at most `max` are shown. */
export function sumTopics(
  { partitions }: Pick<Broker, "partitions">,
  memory: TopicsMemory,
  max: number,
): TopicsSums {
  const { slots } = memory;
  const topics = [...partitions.topics()];
  slots.update(topics.map(({ image }) => image.name), max);
  const shown: TopicSums[] = [];
  const all = new TopicSums("");
  const others = new TopicSums(OTHER);
  for (const topic of topics) {
    const isShown = slots.shows(topic.image.name);
    const sums = isShown ? new TopicSums(topic.image.name) : others;
    sums.add(topic);
    if (!isShown) continue;
    shown.push(sums);
    all.addSums(sums);
  }
  all.addSums(others);
  all.traffic.add(partitions.departed);
  others.traffic.raiseTo(memory.others);
  memory.others.raiseTo(others.traffic);
  if (slots.othersCount > 0) shown.push(others);
  return { shown, all };
}
