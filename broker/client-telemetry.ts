/**
 * What clients tell of themselves (KIP-714, Kafka's `ClientMetricsManager`): who is asked for which
 * metrics by the subscriptions in the metadata, whether a push is in time and is metrics, and the latest
 * push of each client as it came. Everything is in memory and bounded; who is dropped asks again. Where
 * there is a collector all pushes go on to it.
 */
import type { Codecs } from "../core/compression/codec.ts";
import { crc32c } from "../core/crc32c.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import type { Clock, HostPort, Random } from "../core/io.ts";
import { javaHost } from "../core/ip-address.ts";
import { ZERO_UUID } from "../core/protocol/schema.ts";
import {
  type ClientField,
  INTERVAL_MS_DEFAULT,
  type MetricsSubscription,
  parseSubscription,
} from "./config/client-metrics-configs.ts";
import { type Principal, principalName } from "./authorizer.ts";
import type { PushQueue } from "./client-metrics/push-queue.ts";
import { type ResourceLabels, withLabels } from "./client-metrics/pushed-metrics.ts";
import { readPush } from "./client-metrics/read-push.ts";
import { kafkaUuid } from "./coordinator/group/uuid.ts";
import type { MetadataCache } from "./metadata-cache.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";
import type { ClientSoftware, ConnectionState } from "./request-context.ts";

/** zstd, lz4, gzip, snappy: what clients prefer comes first, as in Kafka. */
export const ACCEPTED_COMPRESSION: readonly number[] = [4, 3, 1, 2];

/** Clients that are remembered at once (Kafka's `CACHE_MAX_SIZE`). */
const CLIENTS_MAX = 16_384;
/** Bytes of the latest pushes of all clients. */
const PUSHED_BYTES_MAX = 32 * 1024 * 1024;
/** A client that is silent for three of its intervals, or so long, is forgotten. */
const INTERVALS_MISSED_MAX = 3;
const SILENT_MS_MIN = 60_000;
/** `*`: all metrics; it makes every other name needless. */
const ALL_METRICS = "*";

/** Who asks; a `RequestContext` is one. */
export interface TelemetryClient {
  readonly clientId: string | null;
  readonly clientSoftware: ClientSoftware | null;
  readonly principal: Principal;
  readonly peerAddress: HostPort;
  readonly signal: AbortSignal;
  readonly connection: Pick<ConnectionState, "id">;
}

/** What a client is asked for. */
export interface TelemetrySubscription {
  readonly clientInstanceId: string;
  readonly subscriptionId: number;
  readonly pushIntervalMs: number;
  readonly requestedMetrics: readonly string[];
}

/** What a client pushes; PushTelemetry's request is one. */
export interface Push {
  readonly clientInstanceId: string;
  readonly subscriptionId: number;
  readonly terminating: boolean;
  readonly compressionType: number;
  readonly metrics: Uint8Array;
}

/** The latest push of a client: OTLP metrics, compressed as `compressionType` says. */
export interface LatestPush {
  readonly clientInstanceId: string;
  readonly clientId: string | null;
  readonly receivedMs: number;
  /** When the next one is due after it. */
  readonly intervalMs: number;
  readonly compressionType: number;
  readonly metrics: Uint8Array;
}

/** Whether a client has not missed its pushes since. */
export function isFresh({ receivedMs, intervalMs }: LatestPush, nowMs: number): boolean {
  return nowMs - receivedMs < Math.max(SILENT_MS_MIN, INTERVALS_MISSED_MAX * intervalMs);
}

/** What pushes need to be read and passed on. */
export interface PushServices {
  readonly nodeId: number;
  readonly codecs: Codecs;
  /** Null: nobody is told. */
  readonly queue: PushQueue | null;
}

interface Instance {
  readonly subscription: TelemetrySubscription;
  /** Which state of the subscriptions this one was made from. */
  readonly version: number;
  readonly connectionId: number;
  /** On the monotonic clock; −Infinity before the first. */
  lastGetMs: number;
  lastPushMs: number;
  seenMs: number;
  isTerminating: boolean;
  lastError: ErrorCode;
}

/** See the head of the file. */
export class ClientTelemetry {
  /** By client instance id, the one that was silent longest first. */
  readonly #instances = new Map<string, Instance>();
  /** Connections whose end is waited for already. */
  readonly #watched = new WeakSet<AbortSignal>();
  readonly #pushes = new Map<string, LatestPush>();
  #pushedBytes = 0;
  /** Pushes that were taken, and those that were no metrics, since the start. */
  pushCount = 0;
  malformedCount = 0;
  #subscriptions: ReadonlyMap<string, MetricsSubscription>;
  #version = 0;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly metadata: MetadataCache,
    private readonly services: PushServices,
  ) {
    this.#subscriptions = subscriptionsOf(metadata);
    metadata.onChange(({ changedConfigs }) => {
      if (!changedConfigs.some(({ type }) => type === "client-metrics")) return;
      this.#subscriptions = subscriptionsOf(metadata);
      this.#version++;
    });
  }

  /** How many clients are remembered. */
  get clientCount(): number {
    return this.#instances.size;
  }

  /** What goes on to a collector; null: nothing. */
  get queue(): PushQueue | null {
    return this.services.queue;
  }

  /** The latest push of each client, the oldest first. */
  latestPushes(): Iterable<LatestPush> {
    return this.#pushes.values();
  }

  /** What the client is asked for; the zero id gets a new one. */
  subscribe(wantedId: string, client: TelemetryClient): Outcome<TelemetrySubscription> {
    const id = wantedId === ZERO_UUID ? kafkaUuid(this.random) : wantedId;
    const instance = this.#instance(id, client);
    const now = this.clock.monotonicMs();
    const last = Math.max(instance.lastGetMs, instance.lastPushMs);
    const mayAskAgain = instance.lastError === Errors.UNKNOWN_SUBSCRIPTION_ID ||
      instance.lastError === Errors.UNSUPPORTED_COMPRESSION_TYPE;
    if (now - last < instance.subscription.pushIntervalMs && !mayAskAgain) {
      return refuse(
        Errors.THROTTLING_QUOTA_EXCEEDED,
        `Request from the client [${id}] arrived before the next push interval time`,
      );
    }
    instance.lastGetMs = now;
    instance.lastError = Errors.NONE;
    return accept(instance.subscription);
  }

  /** Takes a push, or says why not. */
  push(push: Push, client: TelemetryClient): ErrorCode {
    if (push.clientInstanceId === ZERO_UUID) return Errors.INVALID_REQUEST;
    const instance = this.#instance(push.clientInstanceId, client);
    const error = this.#check(push, instance);
    instance.isTerminating = push.terminating;
    instance.lastError = error;
    if (error !== Errors.NONE || push.metrics.length === 0) return error;
    return this.#take(push, client, instance.subscription.pushIntervalMs);
  }

  #take(push: Push, client: TelemetryClient, intervalMs: number): ErrorCode {
    const { codecs, queue, nodeId } = this.services;
    const read = readPush(push, codecs);
    if (!read.ok) {
      this.malformedCount++;
      return read.error;
    }
    this.#keep(push, client.clientId, intervalMs);
    queue?.add(withLabels(read.data, labelsOf(push.clientInstanceId, client, nodeId)));
    return Errors.NONE;
  }

  #check(push: Push, instance: Instance): ErrorCode {
    if (instance.isTerminating) return Errors.INVALID_REQUEST;
    const now = this.clock.monotonicMs();
    const { subscriptionId, pushIntervalMs } = instance.subscription;
    // The first push after a subscription comes when the client likes: it spreads them by chance.
    const isInTime = instance.lastGetMs > instance.lastPushMs ||
      now - instance.lastPushMs >= pushIntervalMs;
    if (isInTime) instance.lastPushMs = now;
    else if (!push.terminating) return Errors.THROTTLING_QUOTA_EXCEEDED;
    if (push.subscriptionId !== subscriptionId) return Errors.UNKNOWN_SUBSCRIPTION_ID;
    const isKnownCodec = push.compressionType === 0 ||
      ACCEPTED_COMPRESSION.includes(push.compressionType);
    if (!isKnownCodec) return Errors.UNSUPPORTED_COMPRESSION_TYPE;
    const max = this.metadata.config.get("telemetry.max.bytes");
    return push.metrics.length > max ? Errors.TELEMETRY_TOO_LARGE : Errors.NONE;
  }

  /** The state of a client, made anew if it is not known or was made for other subscriptions. */
  #instance(id: string, client: TelemetryClient): Instance {
    const now = this.clock.monotonicMs();
    const known = this.#instances.get(id);
    this.#instances.delete(id);
    const isCurrent = known !== undefined && known.version === this.#version &&
      now - known.seenMs < silentMs(known);
    const instance = isCurrent ? known : this.#make(id, client, now);
    instance.seenMs = now;
    this.#instances.set(id, instance);
    this.#dropSilent(now);
    return instance;
  }

  #make(id: string, client: TelemetryClient, now: number): Instance {
    this.#watch(client);
    return {
      subscription: this.#subscriptionFor(id, client),
      version: this.#version,
      connectionId: client.connection.id,
      lastGetMs: -Infinity,
      lastPushMs: -Infinity,
      seenMs: now,
      isTerminating: false,
      lastError: Errors.NONE,
    };
  }

  /** Forgets the clients of a connection when it goes. */
  #watch({ signal, connection }: TelemetryClient): void {
    if (this.#watched.has(signal)) return;
    this.#watched.add(signal);
    signal.addEventListener("abort", () => {
      for (const [id, { connectionId }] of this.#instances) {
        if (connectionId === connection.id) this.#instances.delete(id);
      }
    }, { once: true });
  }

  #dropSilent(now: number): void {
    for (const [id, instance] of this.#instances) {
      const isSilent = now - instance.seenMs >= silentMs(instance);
      if (!isSilent && this.#instances.size <= CLIENTS_MAX) return;
      this.#instances.delete(id);
    }
  }

  #subscriptionFor(id: string, client: TelemetryClient): TelemetrySubscription {
    const fields = fieldsOf(id, client);
    const matching = [...this.#subscriptions.values()].filter(({ match }) =>
      match.every(({ field, regex }) => regex.matches(fields[field]))
    );
    const wanted = new Set(matching.flatMap(({ metrics }) => metrics));
    const requestedMetrics = wanted.has(ALL_METRICS) ? [ALL_METRICS] : [...wanted].sort();
    const pushIntervalMs = Math.min(
      INTERVAL_MS_DEFAULT,
      ...matching.map(({ intervalMs }) => intervalMs),
    );
    const text = new TextEncoder().encode(`${requestedMetrics.join()}${pushIntervalMs}${id}`);
    const subscriptionId = crc32c(text) | 0;
    return { clientInstanceId: id, subscriptionId, pushIntervalMs, requestedMetrics };
  }

  #keep(push: Push, clientId: string | null, intervalMs: number): void {
    this.pushCount++;
    const { clientInstanceId, compressionType } = push;
    this.#forgetPush(clientInstanceId);
    const receivedMs = this.clock.wallMs();
    // A copy: the request's memory is not held for some hundred bytes of it.
    const metrics = push.metrics.slice();
    this.#pushes.set(clientInstanceId, {
      clientInstanceId,
      clientId,
      receivedMs,
      intervalMs,
      compressionType,
      metrics,
    });
    this.#pushedBytes += metrics.length;
    for (const oldest of this.#pushes.keys()) {
      if (this.#pushes.size <= CLIENTS_MAX && this.#pushedBytes <= PUSHED_BYTES_MAX) return;
      this.#forgetPush(oldest);
    }
  }

  #forgetPush(id: string): void {
    this.#pushedBytes -= this.#pushes.get(id)?.metrics.length ?? 0;
    this.#pushes.delete(id);
  }
}

function silentMs(instance: Instance): number {
  return Math.max(SILENT_MS_MIN, INTERVALS_MISSED_MAX * instance.subscription.pushIntervalMs);
}

function fieldsOf(id: string, client: TelemetryClient): Record<ClientField, string> {
  return {
    client_instance_id: id,
    client_id: client.clientId ?? "",
    client_software_name: client.clientSoftware?.name ?? "unknown",
    client_software_version: client.clientSoftware?.version ?? "unknown",
    client_source_address: javaHost(client.peerAddress.host),
    client_source_port: String(client.peerAddress.port),
  };
}

/** The labels that KIP-714 has the broker add. */
function labelsOf(id: string, client: TelemetryClient, nodeId: number): ResourceLabels {
  return {
    ...fieldsOf(id, client),
    principal: principalName(client.principal),
    node_id: String(nodeId),
  };
}

function subscriptionsOf({ image }: MetadataCache): Map<string, MetricsSubscription> {
  const found = new Map<string, MetricsSubscription>();
  for (const name of image.configured("client-metrics")) {
    const parsed = parseSubscription(image.configs("client-metrics", name));
    if (parsed.ok) found.set(name, parsed.value);
  }
  return found;
}
