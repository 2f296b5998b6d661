/**
 * Access control as data: what an ACL says, how filters select ACLs, and which one decides about an
 * operation. Names, numbers and rules are Kafka's (`AclBinding`, `ResourcePatternFilter`,
 * `StandardAuthorizerData`; KIP-11, KIP-290). Brokers decide by it, and `kstream acl test` explains.
 */

import { javaHost } from "./ip-address.ts";

/** Kafka's `AclOperation`, without the filters ANY and UNKNOWN; the numbers are those of the wire. */
export const AclOperations = {
  ALL: 2,
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
  CREATE_TOKENS: 13,
  DESCRIBE_TOKENS: 14,
  TWO_PHASE_COMMIT: 15,
} as const;

/** What somebody wants to do. */
export type AclOperation = keyof typeof AclOperations;

/** Kafka's `ResourceType`, by its number on the wire. The one CLUSTER is named `kafka-cluster`. */
export const AclResourceTypes = {
  TOPIC: 2,
  GROUP: 3,
  CLUSTER: 4,
  TRANSACTIONAL_ID: 5,
  DELEGATION_TOKEN: 6,
  USER: 7,
} as const;

/** What it is done to. */
export type ResourceType = keyof typeof AclResourceTypes;

/** Kafka's `PatternType`, without filters: a name, or how names begin. The name `*` means all. */
export const AclPatternTypes = { LITERAL: 3, PREFIXED: 4 } as const;
export type AclPatternType = keyof typeof AclPatternTypes;

/** Kafka's `AclPermissionType`. */
export const AclPermissions = { DENY: 2, ALLOW: 3 } as const;
export type AclPermission = keyof typeof AclPermissions;

/** On the wire, in filters: anything. 0 is UNKNOWN: what the reader does not know. */
export const ACL_ANY = 1;
/** `PatternType.MATCH` of filters: everything that applies to the resource of this name. */
export const ACL_PATTERN_MATCH = 2;

/** The name of the only resource of type CLUSTER. */
export const CLUSTER_NAME = "kafka-cluster";

/** As the name of a literal resource, as host and as the name of a principal: all of them. */
export const WILDCARD = "*";

const WILDCARD_PRINCIPAL = "User:*";

/** One rule: who (`User:alice`) may, or may not, do what to which resources from which host. */
export interface AclEntry {
  readonly resourceType: ResourceType;
  readonly resourceName: string;
  readonly patternType: AclPatternType;
  readonly principal: string;
  readonly host: string;
  readonly operation: AclOperation;
  readonly permission: AclPermission;
}

/** Two entries with the same key say the same. */
export function aclKey(entry: AclEntry): string {
  return JSON.stringify([
    entry.resourceType,
    entry.resourceName,
    entry.patternType,
    entry.principal,
    entry.host,
    entry.operation,
    entry.permission,
  ]);
}

/** Selects ACLs; null is anything. `MATCH` takes all that apply to the resource of this name. */
export interface AclFilter {
  readonly resourceType: ResourceType | null;
  readonly resourceName: string | null;
  readonly patternType: AclPatternType | "MATCH" | null;
  readonly principal: string | null;
  readonly host: string | null;
  readonly operation: AclOperation | null;
  readonly permission: AclPermission | null;
}

/** Whether the filter selects the entry. */
export function aclMatches(filter: AclFilter, entry: AclEntry): boolean {
  const agrees = <T>(wanted: T | null, actual: T) => wanted === null || wanted === actual;
  return agrees(filter.resourceType, entry.resourceType) && patternMatches(filter, entry) &&
    agrees(filter.principal, entry.principal) && agrees(filter.host, entry.host) &&
    agrees(filter.operation, entry.operation) && agrees(filter.permission, entry.permission);
}

function patternMatches(filter: AclFilter, entry: AclEntry): boolean {
  const { patternType, resourceName: name } = filter;
  if (patternType !== "MATCH") {
    return (patternType === null || patternType === entry.patternType) &&
      (name === null || name === entry.resourceName);
  }
  if (name === null) return true;
  return entry.patternType === "PREFIXED"
    ? name.startsWith(entry.resourceName)
    : entry.resourceName === name || entry.resourceName === WILDCARD;
}

/** Somebody who wants to do something. */
export interface AclQuestion {
  /** `User:alice`. */
  readonly principal: string;
  /** The address without a port, as `javaHost` writes it. */
  readonly host: string;
  readonly operation: AclOperation;
  readonly resourceType: ResourceType;
  readonly resourceName: string;
}

/**
 * What decides: an entry; `none` if entries speak of the resource but none allows this; `default` if
 * no entry speaks of the resource at all (`allow.everyone.if.no.acl.found` decides then).
 */
export type AclDecision =
  | { readonly kind: "entry"; readonly entry: AclEntry }
  | { readonly kind: "none" }
  | { readonly kind: "default" };

/** The entries of one resource type, by the names that they are about. */
interface TypeIndex {
  readonly literal: Map<string, AclEntry[]>;
  readonly prefixed: Map<string, AclEntry[]>;
  /** How many prefixes there are of each length: a question looks up one name per length. */
  readonly prefixLengths: Map<number, number>;
}

/**
 * ACLs, found by the resource: a decision looks at the entries of the name, of `*`, and of each
 * prefix of the name for which there is one, whatever other entries there are.
 */
export class AclIndex {
  readonly #types = new Map<ResourceType, TypeIndex>();

  constructor(entries: Iterable<AclEntry> = []) {
    for (const entry of entries) this.add(entry);
  }

  /** Adds an entry that is not there yet. */
  add(entry: AclEntry): void {
    const index = this.#indexOf(entry.resourceType);
    const names = entry.patternType === "LITERAL" ? index.literal : index.prefixed;
    const present = names.get(entry.resourceName);
    if (present !== undefined) {
      present.push(entry);
      return;
    }
    names.set(entry.resourceName, [entry]);
    if (entry.patternType === "PREFIXED") countLength(index, entry.resourceName.length, 1);
  }

  /** Removes the entry that says the same; nothing if there is none. */
  remove(entry: AclEntry): void {
    const index = this.#indexOf(entry.resourceType);
    const names = entry.patternType === "LITERAL" ? index.literal : index.prefixed;
    const key = aclKey(entry);
    const present = names.get(entry.resourceName) ?? [];
    const rest = present.filter((each) => aclKey(each) !== key);
    if (rest.length === present.length) return;
    if (rest.length > 0) {
      names.set(entry.resourceName, rest);
      return;
    }
    names.delete(entry.resourceName);
    if (entry.patternType === "PREFIXED") countLength(index, entry.resourceName.length, -1);
  }

  /** What decides. One DENY outweighs every ALLOW. */
  decide(question: AclQuestion): AclDecision {
    const index = this.#types.get(question.resourceType);
    if (index === undefined) return NO_ENTRY;
    const { resourceName: name } = question;
    const found: Found = { isMentioned: false, allow: null, deny: null };
    look(index.literal.get(name), question, found);
    if (name !== WILDCARD) look(index.literal.get(WILDCARD), question, found);
    for (const length of index.prefixLengths.keys()) {
      if (found.deny !== null) break;
      if (length <= name.length) look(index.prefixed.get(name.slice(0, length)), question, found);
    }
    const entry = found.deny ?? found.allow;
    if (entry !== null) return { kind: "entry", entry };
    return found.isMentioned ? NOT_ALLOWED : NO_ENTRY;
  }

  /**
   * Whether the operation is allowed on some resource of the type, whatever its name (Kafka's
   * `authorizeByResourceType`): an ALLOW that no DENY on the same or a wider pattern takes back.
   */
  allowsAny(question: Omit<AclQuestion, "resourceName">): boolean {
    const index = this.#indexOf(question.resourceType);
    const matching = (entries: readonly AclEntry[] = [], permission: AclPermission) =>
      entries.filter((entry) => entry.permission === permission && applies(entry, question));
    if (matching(index.literal.get(WILDCARD), "DENY").length > 0) return false;
    const isDenied = (name: string, isLiteral: boolean) =>
      [...prefixesOf(index, name)].some((prefix) =>
        matching(index.prefixed.get(prefix), "DENY").length > 0
      ) || (isLiteral && matching(index.literal.get(name), "DENY").length > 0);
    for (const [name, entries] of index.literal) {
      if (matching(entries, "ALLOW").length > 0 && (name === WILDCARD || !isDenied(name, true))) {
        return true;
      }
    }
    for (const [name, entries] of index.prefixed) {
      if (matching(entries, "ALLOW").length > 0 && !isDenied(name, false)) return true;
    }
    return false;
  }

  #indexOf(type: ResourceType): TypeIndex {
    const known = this.#types.get(type);
    if (known !== undefined) return known;
    const made = { literal: new Map(), prefixed: new Map(), prefixLengths: new Map() };
    this.#types.set(type, made);
    return made;
  }
}

const NO_ENTRY: AclDecision = { kind: "default" };
const NOT_ALLOWED: AclDecision = { kind: "none" };

/** What a search has found so far. */
interface Found {
  isMentioned: boolean;
  allow: AclEntry | null;
  deny: AclEntry | null;
}

/** Looks through entries that are about the resource. */
function look(entries: readonly AclEntry[] | undefined, question: AclQuestion, found: Found): void {
  if (entries === undefined) return;
  found.isMentioned = true;
  for (const entry of entries) {
    if (!applies(entry, question)) continue;
    if (entry.permission === "ALLOW") found.allow ??= entry;
    else {
      found.deny = entry;
      return;
    }
  }
}

function countLength(index: TypeIndex, length: number, change: number): void {
  const count = (index.prefixLengths.get(length) ?? 0) + change;
  if (count === 0) index.prefixLengths.delete(length);
  else index.prefixLengths.set(length, count);
}

/** The beginnings of the name that have a length for which there are prefixes. */
function* prefixesOf(index: TypeIndex, name: string): Generator<string> {
  for (const length of index.prefixLengths.keys()) {
    if (length <= name.length) yield name.slice(0, length);
  }
}

/** What an ALLOW of these operations allows besides. A DENY takes away nothing but itself. */
const IMPLIED: Readonly<Partial<Record<AclOperation, readonly AclOperation[]>>> = {
  DESCRIBE: ["READ", "WRITE", "DELETE", "ALTER"],
  DESCRIBE_CONFIGS: ["ALTER_CONFIGS"],
};

/** Whether an entry about the resource is about this principal, host and operation. */
function applies(entry: AclEntry, question: Omit<AclQuestion, "resourceName">): boolean {
  const { principal, host, operation } = question;
  if (entry.principal !== principal && entry.principal !== WILDCARD_PRINCIPAL) return false;
  if (entry.host !== WILDCARD && entry.host !== host && javaHost(entry.host) !== host) return false;
  if (entry.operation === operation || entry.operation === "ALL") return true;
  return entry.permission === "ALLOW" && (IMPLIED[operation]?.includes(entry.operation) ?? false);
}

/** The name of a number of the wire in one of the tables above, or null. */
export function aclName<K extends string>(
  table: Readonly<Record<K, number>>,
  code: number,
): K | null {
  for (const name in table) {
    if (table[name] === code) return name;
  }
  return null;
}
