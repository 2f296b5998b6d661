/**
 * The quotas of one of several brokers that share a host (`kstream.shards`): a client has its quota of all
 * of them together, whichever of them it asks, so each allows it an equal part.
 */
import type { AppliedQuota, QuotaConfigs } from "../../cluster/client-quotas.ts";

/** Not the controller's alone, which is one process whatever there is besides. */
const SHARED: ReadonlySet<string> = new Set([
  "producer_byte_rate",
  "consumer_byte_rate",
  "request_percentage",
  "connection_creation_rate",
]);

/** The part of one of `shards` brokers. One broker has all of it, and pays nothing for that. */
export function shareOfQuotas(quotas: QuotaConfigs, shards: number): QuotaConfigs {
  if (shards === 1) return quotas;
  const share = (key: string, quota: AppliedQuota | undefined): AppliedQuota | undefined =>
    quota === undefined || !SHARED.has(key) ? quota : { ...quota, value: quota.value / shards };
  return {
    isEmpty: quotas.isEmpty,
    forClient: (user, clientId, key) => share(key, quotas.forClient(user, clientId, key)),
    forIp: (ip, key) => share(key, quotas.forIp(ip, key)),
  };
}
