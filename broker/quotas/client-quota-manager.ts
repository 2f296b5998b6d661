/**
 * Holds clients to their quotas (Kafka's `ClientQuotaManager`, `ClientRequestQuotaManager`,
 * `ControllerMutationQuotaManager`; KIP-13, KIP-124, KIP-599): says for how long a client that went
 * beyond one has to be slowed down. The answer leaves at once and carries that time; the connection
 * is then not read for as long (KIP-219, `Connection.throttle`).
 *
 * With no quota set it costs a look at one field. What is kept of clients is bounded: the meters
 * used least recently go.
 */
import type { AppliedQuota, QuotaConfigs } from "../../cluster/client-quotas.ts";
import { Errors } from "../../core/errors.ts";
import type { Clock } from "../../core/io.ts";
import type { BrokerConfig } from "../config/broker-config.ts";
import { type Refusal, refuse } from "../outcome.ts";
import type { RequestContext } from "../request-context.ts";
import { Meters } from "./meters.ts";
import { type QuotaWindows, TokenBucket, WindowedRate } from "./rate.ts";

/** Who is bound: as a request context says it. */
export type QuotaClient = Pick<RequestContext, "principal" | "clientId">;

/** What a quota manager is made of. */
export interface QuotaManagerOptions {
  readonly clock: Clock;
  /** The quotas in force. */
  readonly quotas: () => QuotaConfigs;
  /** `quota.window.num`, `quota.window.size.seconds` */
  readonly windows: QuotaWindows;
  /** `controller.quota.window.num`, `controller.quota.window.size.seconds` */
  readonly controllerWindows: QuotaWindows;
}

/** What a request may change of the metadata under the client's quota. */
export interface MutationQuota {
  /**
   * Charges partitions that an item of the request creates or deletes; an item that is planned
   * again is not charged again. Where the quota is exceeded: a refusal with
   * THROTTLING_QUOTA_EXCEEDED, or null for a request that is too old to know that code.
   */
  charge(item: string, partitions: number): Refusal | null;
  /** How long the client is to be slowed down. */
  throttleMs(): number;
}

/** How the rates of clients and addresses are measured. */
export function clientWindows(config: BrokerConfig): QuotaWindows {
  return {
    count: config.get("quota.window.num"),
    sizeMs: config.get("quota.window.size.seconds") * 1000,
  };
}

/** See the head of this file. */
export class ClientQuotaManager {
  readonly #rates: Meters<WindowedRate>;
  readonly #buckets: Meters<TokenBucket>;

  /** The manager of a broker with this configuration. */
  static of(clock: Clock, config: BrokerConfig, quotas: () => QuotaConfigs): ClientQuotaManager {
    const controllerWindows = {
      count: config.get("controller.quota.window.num"),
      sizeMs: config.get("controller.quota.window.size.seconds") * 1000,
    };
    const windows = clientWindows(config);
    return new ClientQuotaManager({ clock, quotas, windows, controllerWindows });
  }

  constructor(private readonly options: QuotaManagerOptions) {
    this.#rates = new Meters(() => new WindowedRate(options.windows));
    this.#buckets = new Meters(() => new TokenBucket(options.controllerWindows));
  }

  /** Whether anybody has a quota: what a request takes need not be measured else. */
  get isActive(): boolean {
    return !this.options.quotas().isEmpty;
  }

  /** Notes bytes that a client has produced; how long it is to be slowed down, in milliseconds. */
  produced(client: QuotaClient, bytes: number): number {
    return this.#record(client, "producer_byte_rate", bytes);
  }

  /** As `produced`, for bytes that are about to be sent; those of a refused fetch don't count. */
  fetched(client: QuotaClient, bytes: number): number {
    const throttleMs = this.#record(client, "consumer_byte_rate", bytes);
    if (throttleMs > 0) this.#record(client, "consumer_byte_rate", -bytes);
    return throttleMs;
  }

  /** As `produced`, for bytes that were read already, in a client's name and within this process. */
  read(client: QuotaClient, bytes: number): number {
    return this.#record(client, "consumer_byte_rate", bytes);
  }

  /** Notes how long this process was busy with a request; never slows down by over one window. */
  wasBusy(client: QuotaClient, busyMs: number): number {
    const throttleMs = this.#record(client, "request_percentage", busyMs / 10);
    return Math.min(throttleMs, this.options.windows.sizeMs);
  }

  /** The quota of a request that changes metadata; `strict` if its version knows the error. */
  mutations(client: QuotaClient, strict: boolean): MutationQuota {
    const quota = this.#quotaOf(client, "controller_mutation_rate");
    if (quota === undefined) return UNBOUND;
    const { clock } = this.options;
    const bucket = this.#buckets.of(meterName("controller_mutation_rate", quota));
    const charged = new Map<string, Refusal | null>();
    return {
      charge: (item, partitions) => {
        const before = charged.get(item);
        if (before !== undefined) return before;
        const nowMs = clock.monotonicMs();
        const refusal = strict && bucket.tokens(quota.value, nowMs) < 0 ? EXCEEDED : null;
        if (refusal === null) bucket.take(partitions, quota.value, nowMs);
        charged.set(item, refusal);
        return refusal;
      },
      throttleMs: () => bucket.throttleMs(quota.value, clock.monotonicMs()),
    };
  }

  #record(client: QuotaClient, key: string, value: number): number {
    const quota = this.#quotaOf(client, key);
    if (quota === undefined) return 0;
    const nowMs = this.options.clock.monotonicMs();
    const meter = this.#rates.of(meterName(key, quota));
    meter.record(value, nowMs);
    return meter.throttleMs(quota.value, nowMs);
  }

  #quotaOf({ principal, clientId }: QuotaClient, key: string): AppliedQuota | undefined {
    const quotas = this.options.quotas();
    return quotas.isEmpty ? undefined : quotas.forClient(principal.name, clientId ?? "", key);
  }
}

const EXCEEDED = refuse(
  Errors.THROTTLING_QUOTA_EXCEEDED,
  "The throttling quota has been exceeded.",
);

const UNBOUND: MutationQuota = { charge: () => null, throttleMs: () => 0 };

/** Everybody whom one entity's quota binds shares a meter. */
function meterName(key: string, { entity }: AppliedQuota): string {
  return JSON.stringify([key, entity.user, entity["client-id"], entity.ip]);
}
