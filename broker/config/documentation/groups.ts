/** What each config of groups and of subscriptions to client metrics does. */
import type { ClientMetricsConfigName } from "../client-metrics-configs.ts";
import type { GroupConfigName } from "../group-configs.ts";

const SESSION = "A member that is not heard of for so long is taken out of the group.";
const HEARTBEAT = "How often members are told to send heartbeats.";
const ASSIGNMENT = "Assignments are worked out at most once in so long.";

/** By name. */
export const GROUP_DOCUMENTATION: Readonly<Record<GroupConfigName, string>> = {
  "consumer.session.timeout.ms": SESSION,
  "consumer.heartbeat.interval.ms": HEARTBEAT,
  "consumer.assignment.interval.ms": ASSIGNMENT,
  "share.session.timeout.ms": SESSION,
  "share.heartbeat.interval.ms": HEARTBEAT,
  "share.record.lock.duration.ms":
    "A record that a consumer got is its own for so long; without an " +
    "acknowledgement others get it then.",
  "share.delivery.count.limit":
    "A record that was delivered so often and not accepted is given up.",
  "share.partition.max.record.locks":
    "How many records of a partition may be on their way to consumers, or wait for those before them.",
  "share.auto.offset.reset":
    "Where a share group begins in a partition that is new to it: earliest, " +
    "latest or by_duration:<ISO 8601 duration> before now.",
  "share.isolation.level": "Whether a share group sees records of open and aborted transactions " +
    "(read_uncommitted) or not (read_committed).",
  "share.renew.acknowledge.enable": "Whether consumers may prolong the lock of a record.",
  "share.assignment.interval.ms": ASSIGNMENT,
  "streams.session.timeout.ms": SESSION,
  "streams.heartbeat.interval.ms": HEARTBEAT,
  "streams.num.standby.replicas": "How many further members keep a copy of each task's state.",
  "streams.initial.rebalance.delay.ms":
    "How long a new group waits for more members before tasks are assigned.",
  "streams.assignment.interval.ms": ASSIGNMENT,
};

/** By name. */
export const CLIENT_METRICS_DOCUMENTATION: Readonly<Record<ClientMetricsConfigName, string>> = {
  "metrics": "Prefixes of the names of metrics that clients are asked for; * asks for all.",
  "interval.ms": "How often clients push what they are asked for.",
  "match": "Which clients are asked: name=pattern for client_id, client_instance_id, " +
    "client_software_name, client_software_version, client_source_address, client_source_port.",
};
