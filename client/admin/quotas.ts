/** Administration of client quotas (KIP-546). Any broker passes the requests on. */
import { Errors } from "../../core/errors.ts";
import { describeClientQuotas } from "../../core/protocol/48-describe-client-quotas.ts";
import { alterClientQuotas } from "../../core/protocol/49-alter-client-quotas.ts";
import type { Cluster } from "../cluster.ts";
import { KafkaError } from "../errors.ts";
import type { OperationOptions } from "../options.ts";

/** What a quota is set for: names by type (`user`, `client-id`, `ip`); null is the default. */
export type QuotaEntity = Readonly<Record<string, string | null>>;

/** The quotas of one entity by key. */
export interface QuotaEntry {
  readonly entity: QuotaEntity;
  readonly quotas: Readonly<Record<string, number>>;
}

/** `DescribeClientQuotasRequest`'s ways to match a part: a name, or the default. */
const EXACT = 0;
const DEFAULT = 1;

/** Quota operations of an `Admin`. */
export class QuotaAdmin {
  constructor(private readonly cluster: Cluster) {}

  /** The quotas of all entities that have these parts (and maybe others). */
  async describe(parts: QuotaEntity, options: OperationOptions = {}): Promise<QuotaEntry[]> {
    return await this.cluster.retry("list quotas", async ({ timeoutMs }) => {
      const connection = await this.cluster.any(options.signal);
      const response = await connection.request(describeClientQuotas, {
        components: Object.entries(parts).map(([entityType, match]) => ({
          entityType,
          matchType: match === null ? DEFAULT : EXACT,
          match,
        })),
        strict: false,
      }, { timeoutMs });
      if (response.errorCode !== Errors.NONE) {
        throw new KafkaError(response.errorCode, "list quotas", response.errorMessage);
      }
      return (response.entries ?? []).map(({ entity, values }) => ({
        entity: Object.fromEntries(entity.map((part) => [part.entityType, part.entityName])),
        quotas: Object.fromEntries(values.map(({ key, value }) => [key, value])),
      }));
    }, options);
  }

  /** Sets quotas of one entity; null removes one. Throws if the broker refuses. */
  async alter(
    entity: QuotaEntity,
    changes: Readonly<Record<string, number | null>>,
    options: OperationOptions & { validateOnly?: boolean } = {},
  ): Promise<void> {
    await this.cluster.retry("change quotas", async ({ timeoutMs }) => {
      const connection = await this.cluster.any(options.signal);
      const response = await connection.request(alterClientQuotas, {
        entries: [{
          entity: Object.entries(entity).map(([entityType, entityName]) => ({
            entityType,
            entityName,
          })),
          ops: Object.entries(changes).map(([key, value]) => ({
            key,
            value: value ?? 0,
            remove: value === null,
          })),
        }],
        validateOnly: options.validateOnly ?? false,
      }, { timeoutMs });
      for (const { errorCode, errorMessage } of response.entries) {
        if (errorCode !== Errors.NONE) {
          throw new KafkaError(errorCode, "change quotas", errorMessage);
        }
      }
    }, options);
  }
}
