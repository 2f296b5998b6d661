/** What each topic config does, in a sentence or two. */
import type { TopicConfigName } from "../topic-configs.ts";

/** By name. */
export const TOPIC_DOCUMENTATION: Readonly<Record<TopicConfigName, string>> = {
  "segment.bytes":
    "Size at which a segment of the log is complete and a new one begins. Retention and cleaning " +
    "work on complete segments, so smaller ones make them finer, and more files.",
  "segment.ms":
    "Age at which a segment is completed even if it is not full, so that retention and " +
    "cleaning can get at it.",
  "segment.jitter.ms":
    "At most so much is taken off segment.ms, by chance, so that many logs do not roll at once.",
  "segment.index.bytes": "Largest size of a segment's index; a full index completes the segment.",
  "flush.messages":
    "Syncs the log after so many records, where durability is os. Under fsync every acknowledged " +
    "record is synced anyway.",
  "flush.ms":
    "Syncs the log when its oldest record that is not synced is so old, where durability is os.",
  "retention.bytes":
    "Size up to which a partition's log is kept: the oldest segments beyond it are " +
    "deleted where cleanup.policy has delete. -1 is no limit.",
  "retention.ms":
    "Time for which records are kept: a segment is deleted when all its records are " +
    "older, where cleanup.policy has delete. -1 is for ever.",
  "max.message.bytes":
    "Largest record batch that is taken, after compression. Consumers still get " +
    "a batch that is larger than what they ask for.",
  "index.interval.bytes": "So many bytes of log get one entry in the index: fewer make lookups " +
    "read less, and indexes larger.",
  "delete.retention.ms":
    "Time for which a tombstone stays after cleaning, so that a consumer that " +
    "began to read before still sees it.",
  "min.compaction.lag.ms": "A record is not cleaned away before it is so old.",
  "max.compaction.lag.ms": "A record that can be cleaned away is so at the latest when it is so " +
    "old, however little of the log is dirty.",
  "file.delete.delay.ms": "A deleted file stays for so long under another name.",
  "min.cleanable.dirty.ratio": "A log is cleaned when so large a part of it has not been cleaned " +
    "yet: smaller wastes less room and does more work.",
  "cleanup.policy":
    "What becomes of old records: delete removes segments by time and size, compact " +
    "keeps the last record of each key, both together do both. Empty keeps everything.",
  "unclean.leader.election.enable":
    "Whether a replica that is out of sync may become leader if no " +
    "other is left, at the price of lost records.",
  "min.insync.replicas": "With acks=all a record is taken only while so many replicas are in sync.",
  "compression.type": "Codec in which batches are stored: producer keeps what was sent, " +
    "uncompressed stores none, gzip, snappy, lz4 and zstd pack anew what came otherwise.",
  "compression.gzip.level": "Level for compression.type=gzip: 1 to 9, -1 is the usual one.",
  "compression.lz4.level":
    "Level for compression.type=lz4. Known and checked, without effect here.",
  "compression.zstd.level": "Level for compression.type=zstd; below 1 counts as 1.",
  "preallocate": "Whether a new segment takes its whole room on the disk at once.",
  "message.timestamp.type": "CreateTime keeps the producer's timestamps, LogAppendTime replaces " +
    "them by the time of the append.",
  "message.timestamp.before.max.ms": "How far a record's timestamp may lie before the broker's " +
    "time; beyond that the batch is refused. Makes the broker look at every record.",
  "message.timestamp.after.max.ms":
    "How far a record's timestamp may lie after the broker's time; " +
    "beyond that the batch is refused.",
  "leader.replication.throttled.replicas": "Replicas whose leaders are held to the rate for " +
    "replication, as partition:broker,… or * for all.",
  "follower.replication.throttled.replicas": "Replicas whose followers are held to the rate for " +
    "replication, as partition:broker,… or * for all.",
  "remote.storage.enable": "Whether old segments move to tiered storage. There is none yet: only " +
    "false is taken.",
  "local.retention.ms":
    "How long records stay local with tiered storage, which there is none of yet.",
  "local.retention.bytes":
    "How many bytes stay local with tiered storage, which there is none of yet.",
  "remote.log.copy.disable": "Stops copying to tiered storage, which there is none of yet.",
  "remote.log.delete.on.disable":
    "Deletes what is in tiered storage when it is switched off; there is none yet.",
  "kstream.durability":
    "What an acknowledgement means: fsync, the record is on stable storage; os, " +
    "it is in the page cache, and survives the process but not the machine.",
};
