/**
 * What the controller would write to alter client quotas, and which of them a filter selects: pure
 * functions of the image and the request, with Kafka's codes and words (`ClientQuotaControlManager`,
 * `ClientQuotasImage`; KIP-546, KIP-612).
 */
import { Errors } from "../core/errors.ts";
import { isIpAddress } from "../core/ip-address.ts";
import {
  type ClientQuotaImage,
  type ClientQuotas,
  type QuotaEntity,
  quotaEntityKey,
  type QuotaEntityType,
} from "../cluster/client-quotas.ts";
import type { MetadataImage } from "../cluster/metadata-image.ts";
import type { MetadataRecord } from "../cluster/metadata-records.ts";
import { accept, type Outcome, refuse } from "./outcome.ts";
import type { Plan } from "./plan-topics.ts";

type NumberType = "LONG" | "INT" | "DOUBLE";

const CLIENT_KEYS: Readonly<Record<string, NumberType>> = {
  producer_byte_rate: "LONG",
  consumer_byte_rate: "LONG",
  request_percentage: "DOUBLE",
  controller_mutation_rate: "DOUBLE",
};
const IP_KEYS: Readonly<Record<string, NumberType>> = { connection_creation_rate: "INT" };

/** Highest values of the integers that quotas are. */
const MAXIMA: Readonly<Partial<Record<NumberType, number>>> = { INT: 2 ** 31 - 1, LONG: 2 ** 63 };

/** Part of an entity as it is on the wire; the name of a default is null. */
export interface WireEntityPart {
  readonly entityType: string;
  readonly entityName: string | null;
}

/** The changes of one entity. */
export interface QuotaAlteration {
  readonly entity: readonly WireEntityPart[];
  readonly ops: readonly {
    readonly key: string;
    readonly value: number;
    readonly remove: boolean;
  }[];
}

/** Plans changes of quotas. Each entity succeeds or fails alone; none may be named twice. */
export function planAlterQuotas(
  image: MetadataImage,
  alterations: readonly QuotaAlteration[],
): Plan<null> {
  const entities = alterations.map(({ entity }) => parseEntity(entity));
  const counts = new Map<string, number>();
  for (const entity of entities) {
    if (!entity.ok) continue;
    const key = quotaEntityKey(entity.value);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const records: MetadataRecord[] = [];
  const outcomes = alterations.map((alteration, index): Outcome<null> => {
    const entity = entities[index]!;
    if (!entity.ok) return entity;
    if ((counts.get(quotaEntityKey(entity.value)) ?? 0) > 1) {
      return invalid(`Ignoring duplicate entity ${shown(entity.value)}`);
    }
    const planned = planEntity(image.quotas, entity.value, alteration.ops);
    if (!planned.ok) return planned;
    records.push(...planned.value);
    return accept(null);
  });
  return { records, outcomes };
}

function planEntity(
  quotas: ClientQuotas,
  entity: QuotaEntity,
  ops: QuotaAlteration["ops"],
): Outcome<MetadataRecord[]> {
  const keys = entity.ip === undefined ? CLIENT_KEYS : IP_KEYS;
  const before = quotas.get(entity);
  const seen = new Set<string>();
  const records: MetadataRecord[] = [];
  for (const { key, value, remove } of ops) {
    if (seen.has(key)) {
      return invalid(
        `Duplicate quota key ${key} not updating quota for this entity ${shown(entity)}`,
      );
    }
    seen.add(key);
    if (!remove) {
      const problem = valueProblem(keys, key, value);
      if (problem !== null) return invalid(problem);
    }
    const after = remove ? null : value;
    if ((before?.get(key) ?? null) !== after) {
      records.push({ type: "client-quota", version: 1, entity, key, value: after });
    }
  }
  return accept(records);
}

function valueProblem(
  keys: Readonly<Record<string, NumberType>>,
  key: string,
  value: number,
): string | null {
  const type = Object.hasOwn(keys, key) ? keys[key] : undefined;
  if (type === undefined) return `Invalid configuration key ${key}`;
  // Not Kafka's words for what is no number; it has none.
  if (Number.isNaN(value) || value <= 0) return `Quota ${key} must be greater than 0`;
  if (type === "DOUBLE") {
    return Number.isFinite(value) ? null : `Proposed value for ${key} is too large for a DOUBLE.`;
  }
  if (value > (MAXIMA[type] ?? Infinity)) {
    return `Proposed value for ${key} is too large for ${type === "INT" ? "an INT" : "a LONG"}.`;
  }
  return Math.abs(value % 1) > 1e-6 ? `${key} cannot be a fractional value.` : null;
}

function parseEntity(parts: readonly WireEntityPart[]): Outcome<QuotaEntity> {
  if (parts.length === 0) return invalid("Invalid empty client quota entity");
  const entity: Partial<Record<QuotaEntityType, string | null>> = {};
  for (const { entityType, entityName } of parts) {
    if (!isEntityType(entityType)) {
      return invalid(`Unhandled client quota entity type: ${entityType}`);
    }
    if (entity[entityType] !== undefined) {
      return invalid(`Invalid client quota entity, duplicate entity entry ${entityType}`);
    }
    if (entityName === "") return invalid(`Empty ${entityType} not supported`);
    entity[entityType] = entityName;
  }
  if (entity.ip === undefined) return accept(entity);
  if (parts.length > 1) {
    return invalid(
      "Invalid quota entity combination, IP entity should not be combined with User or ClientId",
    );
  }
  return entity.ip === null || isIpAddress(entity.ip)
    ? accept(entity)
    : invalid(`${entity.ip} is not a valid IP or resolvable host.`);
}

function isEntityType(type: string): type is QuotaEntityType {
  return type === "user" || type === "client-id" || type === "ip";
}

function invalid(message: string) {
  return refuse(Errors.INVALID_REQUEST, message);
}

/** As Kafka prints a `ClientQuotaEntity`. */
function shown(entity: QuotaEntity): string {
  const parts = Object.entries(entity).map(([type, name]) => `${type}=${name}`);
  return `ClientQuotaEntity(entries={${parts.join(", ")}})`;
}

/** How a filter matches the part of one type. */
const MATCH_EXACT = 0;
const MATCH_DEFAULT = 1;
const MATCH_SPECIFIED = 2;

/** Part of a filter as it is on the wire. */
export interface WireQuotaFilter {
  readonly entityType: string;
  readonly matchType: number;
  readonly match: string | null;
}

/** The quotas whose entities have these parts; if `strict`, and no others. */
export function findQuotas(
  quotas: ClientQuotas,
  components: readonly WireQuotaFilter[],
  strict: boolean,
): Outcome<ClientQuotaImage[]> {
  /** By type: the name, null for the default, undefined for any. */
  const wanted = new Map<QuotaEntityType, string | null | undefined>();
  for (const component of components) {
    const parsed = parseComponent(component);
    if (!parsed.ok) return parsed;
    const { type, name } = parsed.value;
    if (wanted.has(type)) {
      return invalid(`Entity type ${type} cannot appear more than once in the filter.`);
    }
    wanted.set(type, name);
  }
  if (wanted.has("ip") && wanted.size > 1) {
    return invalid(
      "Invalid entity filter component combination. IP filter component should not be used with " +
        "user or clientId filter component.",
    );
  }
  return accept(
    [...quotas.all()].filter(({ entity }) =>
      (!strict || Object.keys(entity).length === wanted.size) &&
      [...wanted].every(([type, name]) =>
        entity[type] !== undefined && (name === undefined || entity[type] === name)
      )
    ),
  );
}

function parseComponent(
  { entityType, matchType, match }: WireQuotaFilter,
): Outcome<{ type: QuotaEntityType; name: string | null | undefined }> {
  if (entityType === "") return invalid("Invalid empty entity type.");
  if (!isEntityType(entityType)) {
    return refuse(Errors.UNSUPPORTED_VERSION, `Unsupported entity type ${entityType}`);
  }
  switch (matchType) {
    case MATCH_EXACT:
      return match === null
        ? invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.")
        : accept({ type: entityType, name: match });
    case MATCH_DEFAULT:
    case MATCH_SPECIFIED: {
      const isDefault = matchType === MATCH_DEFAULT;
      return match === null
        ? accept({ type: entityType, name: isDefault ? null : undefined })
        : invalid(
          `Request specified MATCH_TYPE_${isDefault ? "DEFAULT" : "SPECIFIED"}, but also ` +
            "specified a match string.",
        );
    }
    default:
      return invalid(`Unknown match type ${matchType}`);
  }
}
