import type { BrokerConfig } from "../config/broker-config.ts";

/** What governs a share group's partitions, as it is in force when it is asked for. */
export interface ShareConfig {
  /** share.isolation.level */
  readonly isolation: "read_uncommitted" | "read_committed";
  /** share.auto.offset.reset: where a group begins that has not consumed a partition yet. */
  readonly autoOffsetReset:
    | { readonly kind: "latest" }
    | { readonly kind: "earliest" }
    | { readonly kind: "by_duration"; readonly durationMs: number };
  /** share.record.lock.duration.ms */
  readonly recordLockDurationMs: number;
  /** share.delivery.count.limit */
  readonly deliveryCountLimit: number;
  /** share.partition.max.record.locks */
  readonly maxRecordLocks: number;
  /** share.renew.acknowledge.enable (KIP-1222) */
  readonly renewEnabled: boolean;
}

/** Kafka's defaults. */
export const DEFAULT_SHARE_CONFIG: ShareConfig = {
  isolation: "read_uncommitted",
  autoOffsetReset: { kind: "latest" },
  recordLockDurationMs: 30_000,
  deliveryCountLimit: 5,
  maxRecordLocks: 2_000,
  renewEnabled: true,
};

/**
 * The configuration of a group: its own settings over the broker's. What was set is taken as far as
 * it can be read, and kept within the broker's bounds, which may be narrower now than they were.
 */
export function shareConfigOf(
  broker: BrokerConfig,
  ofGroup: ReadonlyMap<string, string>,
): ShareConfig {
  const bounded = (name: string, byDefault: number, min: number, max: number) => {
    const own = Number(ofGroup.get(name) ?? NaN);
    return Number.isSafeInteger(own) ? Math.min(Math.max(own, min), max) : byDefault;
  };
  return {
    isolation: ofGroup.get("share.isolation.level")?.toLowerCase() === "read_committed"
      ? "read_committed"
      : "read_uncommitted",
    autoOffsetReset: offsetReset(ofGroup.get("share.auto.offset.reset") ?? "latest"),
    recordLockDurationMs: bounded(
      "share.record.lock.duration.ms",
      broker.get("group.share.record.lock.duration.ms"),
      broker.get("group.share.min.record.lock.duration.ms"),
      broker.get("group.share.max.record.lock.duration.ms"),
    ),
    deliveryCountLimit: bounded(
      "share.delivery.count.limit",
      broker.get("group.share.delivery.count.limit"),
      broker.get("group.share.min.delivery.count.limit"),
      broker.get("group.share.max.delivery.count.limit"),
    ),
    maxRecordLocks: bounded(
      "share.partition.max.record.locks",
      broker.get("group.share.partition.max.record.locks"),
      broker.get("group.share.min.partition.max.record.locks"),
      broker.get("group.share.max.partition.max.record.locks"),
    ),
    renewEnabled: ofGroup.get("share.renew.acknowledge.enable")?.toLowerCase() !== "false",
  };
}

/** `latest`, `earliest` or `by_duration:` with an ISO 8601 duration of days to seconds. */
function offsetReset(text: string): ShareConfig["autoOffsetReset"] {
  const lower = text.trim().toLowerCase();
  if (lower === "earliest") return { kind: "earliest" };
  const match = /^by_duration:p(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?)?$/
    .exec(lower);
  if (match === null) return { kind: "latest" };
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  const durationMs = (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1_000;
  return { kind: "by_duration", durationMs: Math.round(durationMs) };
}
