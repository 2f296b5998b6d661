/**
 * Client quotas as they were set: for users, client ids and both together, and for addresses
 * (KIP-546, KIP-612). Who is bound by which quota is decided here, in Kafka's order of precedence
 * (`ClientQuotaManager.DefaultTags`); how it is enforced is not.
 */
import { PersistentMap } from "./persistent-map.ts";

/** Types of what a quota is set for. */
export type QuotaEntityType = "user" | "client-id" | "ip";

/** What a quota is set for: a name, or null for all that have no quota of their own. */
export type QuotaEntity = Readonly<Partial<Record<QuotaEntityType, string | null>>>;

/** The quotas of one entity by key (`producer_byte_rate`, …); never empty. */
export interface ClientQuotaImage {
  readonly entity: QuotaEntity;
  readonly values: ReadonlyMap<string, number>;
}

/** A quota that binds somebody. All who are bound by one entity's quota share it. */
export interface AppliedQuota {
  readonly entity: QuotaEntity;
  readonly value: number;
}

/** What enforcement needs to know of quotas; `MetadataImage.quotas`. */
export interface QuotaConfigs {
  /** Whether nothing is set at all. */
  readonly isEmpty: boolean;
  /**
   * The quota of this key (`producer_byte_rate`, `consumer_byte_rate`, `request_percentage`,
   * `controller_mutation_rate`) that binds this user and client id, or undefined. The entity of a
   * default is completed with the names: each user (client id) has a default quota for itself.
   */
  forClient(user: string, clientId: string, key: string): AppliedQuota | undefined;
  /** The quota of this key (`connection_creation_rate`) that binds this address. */
  forIp(ip: string, key: string): AppliedQuota | undefined;
}

/** A text that only this entity has. */
export function quotaEntityKey({ user, "client-id": clientId, ip }: QuotaEntity): string {
  // A part that is absent is not the same as one that is null, the default.
  return JSON.stringify([
    user ?? (user === null),
    clientId ?? (clientId === null),
    ip ?? (ip === null),
  ]);
}

/** A change of one quota: `value` null removes it. */
export interface QuotaChange {
  readonly entity: QuotaEntity;
  readonly key: string;
  readonly value: number | null;
}

/** All client quotas at one moment; never changes. */
export class ClientQuotas implements QuotaConfigs {
  static readonly EMPTY = new ClientQuotas(PersistentMap.empty());

  readonly #byEntity: PersistentMap<ClientQuotaImage>;

  private constructor(byEntity: PersistentMap<ClientQuotaImage>) {
    this.#byEntity = byEntity;
  }

  get isEmpty(): boolean {
    return this.#byEntity.size === 0;
  }

  /** Every entity that has quotas. */
  all(): Iterable<ClientQuotaImage> {
    return this.#byEntity.values();
  }

  /** What was set for exactly this entity. */
  get(entity: QuotaEntity): ReadonlyMap<string, number> | undefined {
    return this.#byEntity.get(quotaEntityKey(entity))?.values;
  }

  /** The quotas after these changes, in order. */
  with(changes: readonly QuotaChange[]): ClientQuotas {
    if (changes.length === 0) return this;
    const drafts = new Map<string, { entity: QuotaEntity; values: Map<string, number> }>();
    for (const { entity, key, value } of changes) {
      const id = quotaEntityKey(entity);
      const draft = drafts.get(id) ?? { entity, values: new Map(this.get(entity)) };
      drafts.set(id, draft);
      if (value === null) draft.values.delete(key);
      else draft.values.set(key, value);
    }
    return new ClientQuotas(
      this.#byEntity.with(
        [...drafts].map(([id, draft]) => [id, draft.values.size === 0 ? undefined : draft]),
      ),
    );
  }

  forClient(user: string, clientId: string, key: string): AppliedQuota | undefined {
    if (this.isEmpty) return undefined;
    const both = { user, "client-id": clientId };
    return this.#value({ user, "client-id": clientId }, key, both) ??
      this.#value({ user, "client-id": null }, key, both) ??
      this.#value({ user }, key, { user }) ??
      this.#value({ user: null, "client-id": clientId }, key, both) ??
      this.#value({ user: null, "client-id": null }, key, both) ??
      this.#value({ user: null }, key, { user }) ??
      this.#value({ "client-id": clientId }, key, { "client-id": clientId }) ??
      this.#value({ "client-id": null }, key, { "client-id": clientId });
  }

  forIp(ip: string, key: string): AppliedQuota | undefined {
    if (this.isEmpty) return undefined;
    return this.#value({ ip }, key, { ip }) ?? this.#value({ ip: null }, key, { ip });
  }

  #value(entity: QuotaEntity, key: string, bound: QuotaEntity): AppliedQuota | undefined {
    const value = this.get(entity)?.get(key);
    return value === undefined ? undefined : { entity: bound, value };
  }
}
