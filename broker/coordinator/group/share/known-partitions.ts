/**
 * Which share partitions of a group the share coordinator knows (`ShareGroupStatePartitionMetadata`):
 * only what is initialized there may be assigned, and only what may be there has to be deleted.
 * Values are never changed; each operation gives a new one, which is what is written.
 */
import type { TopicView } from "../group.ts";
import type { ShareGroupRecordOf } from "./share-group-records.ts";

/** Partitions of a topic, with the name that the topic has or had. */
export interface KnownTopic {
  readonly name: string;
  readonly partitions: ReadonlySet<number>;
}

type Topics = ReadonlyMap<string, KnownTopic>;
type Value = NonNullable<ShareGroupRecordOf<"ShareGroupStatePartitionMetadata">["value"]>;

/** Partitions by topic id. */
export type PartitionsById = ReadonlyMap<string, ReadonlySet<number>>;

/** See the header. */
export class KnownPartitions {
  static readonly NONE = new KnownPartitions(new Map(), new Map(), new Map());

  constructor(
    /** Asked for, and not answered yet. */
    readonly initializing: Topics,
    readonly initialized: Topics,
    /** Names by topic id. */
    readonly deleting: ReadonlyMap<string, string>,
  ) {}

  static of(value: Value): KnownPartitions {
    return new KnownPartitions(
      topicsOf(value.initializingTopics),
      topicsOf(value.initializedTopics),
      new Map(value.deletingTopics.map(({ topicId, topicName }) => [topicId, topicName])),
    );
  }

  value(): Value {
    return {
      initializingTopics: recordTopics(this.initializing),
      initializedTopics: recordTopics(this.initialized),
      deletingTopics: [...this.deleting].map(([topicId, topicName]) => ({ topicId, topicName })),
    };
  }

  get isNothing(): boolean {
    return this.initializing.size + this.initialized.size + this.deleting.size === 0;
  }

  /** The partitions of the topic that are initialized. */
  initializedOf(topicId: string): ReadonlySet<number> {
    return this.initialized.get(topicId)?.partitions ?? NO_PARTITIONS;
  }

  /** These are being initialized. */
  begin(wanted: PartitionsById, name: (topicId: string) => string): KnownPartitions {
    const initializing = new Map(this.initializing);
    const deleting = new Map(this.deleting);
    for (const [topicId, partitions] of wanted) {
      const known = initializing.get(topicId)?.partitions ?? NO_PARTITIONS;
      initializing.set(topicId, { name: name(topicId), partitions: known.union(partitions) });
      deleting.delete(topicId);
    }
    return new KnownPartitions(initializing, this.initialized, deleting);
  }

  /** The initialization has ended, well or not. */
  end(answered: PartitionsById, isDone: boolean): KnownPartitions {
    const initializing = new Map(this.initializing);
    const initialized = new Map(this.initialized);
    for (const [topicId, partitions] of answered) {
      const pending = initializing.get(topicId);
      if (pending === undefined) continue;
      const rest = pending.partitions.difference(partitions);
      if (rest.size === 0) initializing.delete(topicId);
      else initializing.set(topicId, { ...pending, partitions: rest });
      if (!isDone) continue;
      const known = initialized.get(topicId)?.partitions ?? NO_PARTITIONS;
      const done = pending.partitions.intersection(partitions);
      initialized.set(topicId, { name: pending.name, partitions: known.union(done) });
    }
    return new KnownPartitions(initializing, initialized, this.deleting);
  }

  /** These topics are being deleted, all of them or those of the ids. */
  beginDeleting(topicIds?: ReadonlySet<string>): KnownPartitions {
    const goes = (topicId: string) => topicIds === undefined || topicIds.has(topicId);
    const deleting = new Map(this.deleting);
    for (const [topicId, { name }] of [...this.initializing, ...this.initialized]) {
      if (goes(topicId)) deleting.set(topicId, name);
    }
    const stays = (topics: Topics) => new Map([...topics].filter(([id]) => !goes(id)));
    return new KnownPartitions(stays(this.initializing), stays(this.initialized), deleting);
  }

  /** Nothing is known of these topics any more. */
  forget(topicIds: ReadonlySet<string>): KnownPartitions {
    const stays = <T>(topics: ReadonlyMap<string, T>) =>
      new Map([...topics].filter(([id]) => !topicIds.has(id)));
    return new KnownPartitions(
      stays(this.initializing),
      stays(this.initialized),
      stays(this.deleting),
    );
  }

  /** The ids of all topics that something is known of. */
  topicIds(): Set<string> {
    return new Set([
      ...this.initializing.keys(),
      ...this.initialized.keys(),
      ...this.deleting.keys(),
    ]);
  }

  /** What the share coordinator may know of a topic; of one that is being deleted, everything. */
  partitionsOf(topic: TopicView): ReadonlySet<number> {
    if (this.deleting.has(topic.id)) return allPartitions(topic);
    const pending = this.initializing.get(topic.id)?.partitions ?? NO_PARTITIONS;
    return pending.union(this.initializedOf(topic.id));
  }
}

const NO_PARTITIONS: ReadonlySet<number> = new Set<number>();

/** Every partition of a topic. */
export function allPartitions({ partitions }: TopicView): ReadonlySet<number> {
  return new Set(Array.from({ length: partitions.length }, (_, index) => index));
}

function topicsOf(topics: Value["initializedTopics"]): Topics {
  return new Map(topics.map(({ topicId, topicName, partitions }) => [
    topicId,
    { name: topicName, partitions: new Set(partitions) },
  ]));
}

function recordTopics(topics: Topics): Value["initializedTopics"] {
  return [...topics].map(([topicId, { name, partitions }]) => ({
    topicId,
    topicName: name,
    partitions: [...partitions].toSorted((a, b) => a - b),
  }));
}
