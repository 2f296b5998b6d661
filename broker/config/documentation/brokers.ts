/** What each broker config does, in a sentence or two. */
import type { BrokerConfigName } from "../broker-configs.ts";
import { GROUP_BROKER_DEFAULTS } from "../group-configs.ts";
import { TOPIC_SYNONYMS } from "../topic-configs.ts";
import { GROUP_DOCUMENTATION } from "./groups.ts";
import { SSL_DOCUMENTATION } from "./ssl.ts";
import { TOPIC_DOCUMENTATION } from "./topics.ts";

const NO_TIER =
  "For tiered storage, which there is none of yet: known and checked, without effect.";
const THREADS =
  "Kafka's number of threads for a kind of work. This broker is one event loop with a few workers: known and checked, without effect.";
const REPLICATION =
  "For replication between brokers: known and checked, without effect on one node.";
const QUORUM =
  "For Kafka's controller quorum and its metadata log, which are built otherwise here: known and checked, without effect.";
const PURGATORY =
  "For Kafka's lists of waiting requests, which are built otherwise here: known and checked, without effect.";
const SECURITY = "For security, which there is none of yet: known and checked, without effect.";
const METRICS = "For Kafka's own metrics: known and checked, without effect.";
const OTHERWISE = "For something that is built otherwise here: known and checked, without effect.";

/** Texts of those that do not stand for a config of topics or groups, or bound one. */
const TEXTS: Readonly<Partial<Record<BrokerConfigName, string>>> = {
  ...SSL_DOCUMENTATION,
  "add.partitions.to.txn.retry.backoff.max.ms": OTHERWISE,
  "add.partitions.to.txn.retry.backoff.ms": OTHERWISE,
  "advertised.listeners":
    "Addresses that clients are told to connect to, where they differ from listeners.",
  "allow.everyone.if.no.acl.found":
    "Whether everybody may do everything to a resource that has no ACL.",
  "alter.config.policy.class.name":
    "A Java class that judges changes of configs: refused, there is none here.",
  "alter.log.dirs.replication.quota.window.num": REPLICATION,
  "alter.log.dirs.replication.quota.window.size.seconds": REPLICATION,
  "authorizer.class.name":
    "Who decides who may do what: empty for nobody, org.apache.kafka.metadata.authorizer.StandardAuthorizer for ACLs.",
  "auto.create.topics.enable":
    "Whether a topic is made when a client first asks for it or writes to it.",
  "auto.leader.rebalance.enable":
    "Whether the first replica of a partition takes the lead back once it is in sync.",
  "background.threads": THREADS,
  "broker.heartbeat.interval.ms": QUORUM,
  "broker.id": "As node.id, for configurations of old; -1 is unset.",
  "broker.rack":
    "Where this broker stands. Replicas are spread over racks, and consumers may read from the one in their own.",
  "broker.session.timeout.ms": QUORUM,
  "client.quota.callback.class":
    "A Java class that decides on quotas: refused, there is none here.",
  "config.providers": OTHERWISE,
  "connection.failed.authentication.delay.ms": SECURITY,
  "connections.max.idle.ms": "A connection without traffic is closed after so long.",
  "connections.max.reauth.ms": SECURITY,
  "controlled.shutdown.enable": REPLICATION,
  "controller.listener.names":
    "Names of the listeners of controllers. There is no such port; the name is for tools that read it.",
  "controller.quorum.append.linger.ms": QUORUM,
  "controller.quorum.auto.join.enable": QUORUM,
  "controller.quorum.bootstrap.servers": QUORUM,
  "controller.quorum.election.backoff.max.ms": QUORUM,
  "controller.quorum.election.timeout.ms": QUORUM,
  "controller.quorum.fetch.max.bytes": QUORUM,
  "controller.quorum.fetch.snapshot.max.bytes": QUORUM,
  "controller.quorum.fetch.timeout.ms": QUORUM,
  "controller.quorum.request.timeout.ms": QUORUM,
  "controller.quorum.retry.backoff.ms": QUORUM,
  "controller.quorum.voters": QUORUM,
  "controller.quota.window.num":
    "Number of windows whose worth of partitions may be created or deleted at once.",
  "controller.quota.window.size.seconds": "Length of such a window.",
  "controller.socket.timeout.ms": REPLICATION,
  "cordoned.log.dirs": "With * no new replicas are put on the broker.",
  "create.topic.policy.class.name":
    "A Java class that judges new topics: refused, there is none here.",
  "default.replication.factor": "Replicas of a topic that is made without saying how many.",
  "delegation.token.expiry.check.interval.ms": SECURITY,
  "delegation.token.expiry.time.ms": SECURITY,
  "delegation.token.max.lifetime.ms": SECURITY,
  "delegation.token.secret.key": SECURITY,
  "delete.records.purgatory.purge.interval.requests": PURGATORY,
  "delete.topic.enable": "Whether topics may be deleted.",
  "early.start.listeners": OTHERWISE,
  "fetch.max.bytes":
    "Largest answer to a fetch, whatever the client asks for. The first batch comes even if it alone is larger.",
  "fetch.purgatory.purge.interval.requests": PURGATORY,
  "follower.fetch.last.tiered.offset.enable": NO_TIER,
  "group.consumer.assignors":
    "Assignors of consumer groups, the default one first: uniform, range.",
  "group.consumer.max.size": "Most members of a consumer group.",
  "group.consumer.migration.policy":
    "Which ways groups may change between the classic and the consumer protocol: disabled, upgrade, downgrade, bidirectional.",
  "group.coordinator.append.linger.ms": OTHERWISE,
  "group.coordinator.background.threads": THREADS,
  "group.coordinator.cached.buffer.max.bytes": OTHERWISE,
  "group.coordinator.rebalance.protocols":
    "Kinds of groups that are served: classic, consumer, share, streams.",
  "group.coordinator.threads": THREADS,
  "group.initial.rebalance.delay.ms":
    "How long an empty classic group waits for further members before it assigns partitions.",
  "group.max.session.timeout.ms":
    "Longest session timeout that a member of a classic group may ask for.",
  "group.max.size": "Most members of a classic group.",
  "group.min.session.timeout.ms":
    "Shortest session timeout that a member of a classic group may ask for.",
  "group.share.assignors": "Assignors of share groups: simple.",
  "group.share.max.share.sessions": "Most share sessions that this broker keeps.",
  "group.share.max.size": "Most members of a share group.",
  "group.streams.max.size": "Most members of a streams group.",
  "group.streams.max.standby.replicas": "Most standby tasks that a streams group may ask for.",
  "initial.broker.registration.timeout.ms": QUORUM,
  "inter.broker.listener.name":
    "The listener on which brokers of a cluster meet. Default: the first of the protocol in security.inter.broker.protocol where that is set, else the first.",
  "kafka.metrics.polling.interval.secs": METRICS,
  "kafka.metrics.reporters": METRICS,
  "kstream.metrics.clients.max":
    "How many clients `/metrics/clients` shows, those that pushed metrics last (KIP-714).",
  "kstream.metrics.groups.max":
    "How many pairs of group and topic `/metrics` shows by name; the rest is summed up as other.",
  "kstream.metrics.topics.max":
    "How many topics `/metrics` shows by name; the rest is summed up as other.",
  "kstream.otlp.endpoint":
    "The base URL of an OpenTelemetry collector that gets all metrics by OTLP over HTTP (JSON), as http://127.0.0.1:4318. Empty: none does.",
  "kstream.otlp.interval.ms": "How often it gets them.",
  "kstream.otlp.traces":
    "On: the collector also gets spans of records whose header traceparent says that their trace is sampled, and of such requests of the admin server.",
  "kstream.otlp.traces.ratio":
    "Of the sampled traces, the share that it gets spans of, by their ids: all brokers choose alike.",
  "kstream.shards":
    "How many brokers share this host's memory and quotas; `serve --shards` sets it. Read-only.",
  "kstream.slow.request.ms":
    "From how many milliseconds on a request gets a line in the log, with where the time went. 0: none does.",
  "kstream.storage":
    "Where the data is: disk, or memory for brokers that forget everything. Read-only.",
  "kstream.trash.bytes":
    "What deleted topics that can be restored may take on disk together; the oldest go first.",
  "kstream.trash.ms":
    "How long a deleted topic is kept, to be restored with `kstream topic undo`. 0 keeps nothing.",
  "leader.imbalance.check.interval.seconds":
    "How often it is looked for partitions that another replica should lead.",
  "listener.security.protocol.map": "Security protocol of each listener's name: PLAINTEXT or SSL.",
  "listeners":
    "Addresses that clients connect to, as NAME://host:port,…; port 0 takes any free one.",
  "log.cleaner.backoff.ms": "How long the cleaner sleeps when no log is dirty enough.",
  "log.cleaner.dedupe.buffer.size": "Memory for the keys of logs that are being cleaned.",
  "log.cleaner.enable": "Whether compacted logs are cleaned at all.",
  "log.cleaner.io.buffer.load.factor": OTHERWISE,
  "log.cleaner.io.buffer.size": "Memory for reading and writing logs that are being cleaned.",
  "log.cleaner.io.max.bytes.per.second": "Bytes a second that cleaning reads and writes at most.",
  "log.cleaner.threads": "How many logs are cleaned at a time.",
  "log.dir": "Directory of the data, where log.dirs says none.",
  "log.dir.failure.timeout.ms": OTHERWISE,
  "log.dirs": "Directories of the data, separated by commas.",
  "log.flush.offset.checkpoint.interval.ms": OTHERWISE,
  "log.flush.scheduler.interval.ms":
    "Default of flush.ms where log.flush.interval.ms is not set either.",
  "log.flush.start.offset.checkpoint.interval.ms": OTHERWISE,
  "log.local.retention.bytes": NO_TIER,
  "log.local.retention.ms": NO_TIER,
  "log.retention.check.interval.ms": "How often segments are looked for that retention may delete.",
  "max.connection.creation.rate":
    "Connections a second that the broker takes up; further ones wait.",
  "max.connections": "Most connections at a time; one more is closed at once.",
  "max.connections.per.ip": "Most connections from one address.",
  "max.connections.per.ip.overrides":
    "Other limits than max.connections.per.ip, as address:count,….",
  "max.incremental.fetch.session.cache.slots":
    "How many fetch sessions are kept; without one a consumer names all its partitions in every fetch.",
  "max.request.partition.size.limit": OTHERWISE,
  "metadata.log.dir": QUORUM,
  "metadata.log.max.record.bytes.between.snapshots": QUORUM,
  "metadata.log.max.snapshot.interval.ms": QUORUM,
  "metadata.log.segment.bytes": QUORUM,
  "metadata.log.segment.ms": QUORUM,
  "metadata.max.idle.interval.ms": QUORUM,
  "metadata.max.retention.bytes": QUORUM,
  "metadata.max.retention.ms": QUORUM,
  "metric.reporters": METRICS,
  "metrics.num.samples": METRICS,
  "metrics.recording.level": METRICS,
  "metrics.sample.window.ms": METRICS,
  "node.id": "Number of this node, unique in its cluster; the data directory belongs to it.",
  "num.io.threads": THREADS,
  "num.network.threads": THREADS,
  "num.partitions": "Partitions of a topic that is made without saying how many.",
  "num.recovery.threads.per.data.dir": THREADS,
  "num.replica.alter.log.dirs.threads": THREADS,
  "num.replica.fetchers": THREADS,
  "offset.metadata.max.bytes": "Longest text that may go with a committed offset.",
  "offsets.commit.timeout.ms":
    "How long a commit of offsets, or another record of a coordinator, may take to be stored.",
  "offsets.load.buffer.size": OTHERWISE,
  "offsets.retention.check.interval.ms": "How often expired offsets are looked for.",
  "offsets.retention.minutes":
    "Committed offsets of a group without members, or of a topic it no longer reads, go after so long.",
  "offsets.topic.compression.codec": OTHERWISE,
  "offsets.topic.num.partitions":
    "Partitions of __consumer_offsets when it is made. Groups are spread over them by their id.",
  "offsets.topic.replication.factor":
    "Replicas of __consumer_offsets. If it is not set: 3, or as many as the cluster has hosts.",
  "offsets.topic.segment.bytes": "Segment size of __consumer_offsets.",
  "principal.builder.class": SECURITY,
  "process.roles": "What this process is in the cluster: broker, controller or both.",
  "producer.id.expiration.ms":
    "A producer that has not written for so long is forgotten, and with it its sequence.",
  "producer.purgatory.purge.interval.requests": PURGATORY,
  "queued.max.request.bytes":
    "Memory for requests of all connections together; when it is full sockets are not read. -1 is 64 MiB.",
  "queued.max.requests": OTHERWISE,
  "quota.window.num": "Number of windows over which the rates of clients are measured.",
  "quota.window.size.seconds": "Length of such a window.",
  "remote.fetch.max.wait.ms": NO_TIER,
  "remote.list.offsets.request.timeout.ms": NO_TIER,
  "remote.log.index.file.cache.total.size.bytes": NO_TIER,
  "remote.log.manager.copier.thread.pool.size": NO_TIER,
  "remote.log.manager.copy.max.bytes.per.second": NO_TIER,
  "remote.log.manager.copy.quota.window.num": NO_TIER,
  "remote.log.manager.copy.quota.window.size.seconds": NO_TIER,
  "remote.log.manager.expiration.thread.pool.size": NO_TIER,
  "remote.log.manager.fetch.max.bytes.per.second": NO_TIER,
  "remote.log.manager.fetch.quota.window.num": NO_TIER,
  "remote.log.manager.fetch.quota.window.size.seconds": NO_TIER,
  "remote.log.manager.follower.thread.pool.size": NO_TIER,
  "remote.log.manager.task.interval.ms": NO_TIER,
  "remote.log.manager.thread.pool.size": NO_TIER,
  "remote.log.metadata.custom.metadata.max.bytes": NO_TIER,
  "remote.log.metadata.manager.class.name": NO_TIER,
  "remote.log.metadata.manager.class.path": NO_TIER,
  "remote.log.metadata.manager.impl.prefix": NO_TIER,
  "remote.log.metadata.manager.listener.name": NO_TIER,
  "remote.log.reader.max.pending.tasks": NO_TIER,
  "remote.log.reader.threads": NO_TIER,
  "remote.log.storage.manager.class.name": NO_TIER,
  "remote.log.storage.manager.class.path": NO_TIER,
  "remote.log.storage.manager.impl.prefix": NO_TIER,
  "remote.log.storage.system.enable":
    "Whether there is tiered storage. There is none yet: only false is taken.",
  "replica.fetch.backoff.ms": REPLICATION,
  "replica.fetch.max.bytes": REPLICATION,
  "replica.fetch.min.bytes": REPLICATION,
  "replica.fetch.response.max.bytes": REPLICATION,
  "replica.fetch.wait.max.ms": REPLICATION,
  "replica.high.watermark.checkpoint.interval.ms": REPLICATION,
  "replica.lag.time.max.ms": REPLICATION,
  "replica.selector.class": REPLICATION,
  "replica.socket.receive.buffer.bytes": REPLICATION,
  "replica.socket.timeout.ms": REPLICATION,
  "replication.quota.window.num": REPLICATION,
  "replication.quota.window.size.seconds": REPLICATION,
  "request.timeout.ms": OTHERWISE,
  "security.inter.broker.protocol":
    "The protocol of the listener on which brokers of a cluster meet, where inter.broker.listener.name does not say which it is.",
  "security.providers": SECURITY,
  "share.coordinator.append.linger.ms": OTHERWISE,
  "share.coordinator.cached.buffer.max.bytes": OTHERWISE,
  "share.coordinator.load.buffer.size": OTHERWISE,
  "share.coordinator.snapshot.update.records.per.snapshot":
    "After so many changes a share partition's whole state is written once.",
  "share.coordinator.state.topic.compression.codec": OTHERWISE,
  "share.coordinator.state.topic.min.isr":
    "The min.insync.replicas of __share_group_state. If it is not set: 2 once it has 3 replicas.",
  "share.coordinator.state.topic.num.partitions":
    "Partitions of __share_group_state when it is made.",
  "share.coordinator.state.topic.replication.factor":
    "Replicas of __share_group_state. If it is not set: 3, or as many as the cluster has hosts.",
  "share.coordinator.state.topic.segment.bytes": "Segment size of __share_group_state.",
  "share.coordinator.threads": THREADS,
  "share.coordinator.write.timeout.ms":
    "How long a change of a share partition's state may take to be stored.",
  "share.fetch.purgatory.purge.interval.requests": PURGATORY,
  "socket.connection.setup.timeout.max.ms": OTHERWISE,
  "socket.connection.setup.timeout.ms": OTHERWISE,
  "socket.listen.backlog.size": OTHERWISE,
  "socket.receive.buffer.bytes": OTHERWISE,
  "socket.request.max.bytes":
    "Largest request. A longer one closes its connection before it is read.",
  "socket.send.buffer.bytes": OTHERWISE,
  "super.users": "Principals that may do everything, as User:name;User:name.",
  "telemetry.max.bytes": "Largest push of client metrics.",
  "transaction.abort.timed.out.transaction.cleanup.interval.ms":
    "How often transactions are looked for that have timed out.",
  "transaction.max.timeout.ms": "Longest time that a producer may ask for its transactions.",
  "transaction.partition.verification.enable":
    "Whether a transactional write is taken only for a partition that the coordinator knows to be in the transaction.",
  "transaction.remove.expired.transaction.cleanup.interval.ms":
    "How often expired transactional ids are looked for.",
  "transaction.state.log.load.buffer.size": OTHERWISE,
  "transaction.state.log.min.isr":
    "The min.insync.replicas of __transaction_state. If it is not set: 2 once it has 3 replicas.",
  "transaction.state.log.num.partitions":
    "Partitions of __transaction_state when it is made. Transactional ids are spread over them.",
  "transaction.state.log.replication.factor":
    "Replicas of __transaction_state. If it is not set: 3, or as many as the cluster has hosts.",
  "transaction.state.log.segment.bytes": "Segment size of __transaction_state.",
  "transaction.two.phase.commit.enable": OTHERWISE,
  "transactional.id.expiration.ms":
    "A transactional id that was not used for so long is forgotten.",
};

const BOUND = /^(group\.\w+)\.(min|max)\.(.+)$/;

/** What a broker config does. */
export function brokerDocumentation(name: BrokerConfigName): string {
  const text = TEXTS[name];
  if (text !== undefined) return text;
  for (const [topicConfig, synonyms] of Object.entries(TOPIC_SYNONYMS)) {
    if (!synonyms.some((synonym) => synonym.name === name)) continue;
    return defaultOf("topic", topicConfig, entryOf(TOPIC_DOCUMENTATION, topicConfig));
  }
  for (const [groupConfig, synonym] of Object.entries(GROUP_BROKER_DEFAULTS)) {
    if (synonym !== name) continue;
    return defaultOf("group", groupConfig, entryOf(GROUP_DOCUMENTATION, groupConfig));
  }
  const [, prefix = "", side = "", rest = ""] = BOUND.exec(name) ?? [];
  const which = side === "min" ? "Least" : "Greatest";
  return prefix === "" ? "" : `${which} value of ${prefix}.${rest} that a group may have.`;
}

function defaultOf(kind: string, name: string, text: string): string {
  return `Default of the ${kind} config ${name}. ${text}`;
}

function entryOf(texts: Readonly<Record<string, string>>, name: string): string {
  return texts[name] ?? "";
}
