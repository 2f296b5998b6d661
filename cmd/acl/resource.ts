import {
  type AclEntry,
  type AclFilter,
  type AclOperation,
  AclOperations,
  CLUSTER_NAME,
  type ResourceType,
} from "../../core/acl.ts";
import { didYouMean } from "../../core/did-you-mean.ts";
import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { KafkaError } from "../../client/errors.ts";
import { refusal } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { formatTable } from "../output.ts";

/** Options that name a resource. */
export interface ResourceOptions extends AdminOptions {
  readonly topic?: string | undefined;
  readonly group?: string | undefined;
  readonly transactionalId?: string | undefined;
  readonly cluster?: boolean | undefined;
  readonly delegationToken?: string | undefined;
  readonly user?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Options that select rules. */
export interface FilterOptions extends ResourceOptions {
  readonly principal?: string | undefined;
  readonly operation?: string | undefined;
  readonly host?: string | undefined;
  readonly allow?: boolean | undefined;
  readonly deny?: boolean | undefined;
  readonly prefix?: boolean | undefined;
  readonly match?: boolean | undefined;
}

/** A resource by type and name. */
export interface Resource {
  readonly resourceType: ResourceType;
  readonly resourceName: string;
}

/** The resource that the options name, or null. Throws if there are several (usage). */
export function resourceOf(options: ResourceOptions): Resource | null {
  const named: [ResourceType, string | undefined][] = [
    ["TOPIC", options.topic],
    ["GROUP", options.group],
    ["TRANSACTIONAL_ID", options.transactionalId],
    ["CLUSTER", options.cluster === true ? CLUSTER_NAME : undefined],
    ["DELEGATION_TOKEN", options.delegationToken],
    ["USER", options.user],
  ];
  const found = named.flatMap(([resourceType, resourceName]): Resource[] =>
    resourceName === undefined ? [] : [{ resourceType, resourceName }]
  );
  if (found.length > 1) {
    throw new OperatorError("several resources are named", "", "name one at a time", 2);
  }
  return found[0] ?? null;
}

/** As `resourceOf`, but there must be one. */
export function oneResource(options: ResourceOptions): Resource {
  const resource = resourceOf(options);
  if (resource !== null) return resource;
  throw new OperatorError(
    "it is not said what is meant",
    "",
    "give --topic, --group, --transactional-id or --cluster",
    2,
  );
}

/** `alter-configs` as Kafka writes it. Throws for an operation that there is not (usage). */
export function operationOf(word: string): AclOperation {
  const wanted = word.trim().toUpperCase().replaceAll("-", "_");
  const known = Object.keys(AclOperations).filter(isOperation);
  const found = known.find((name) => name === wanted);
  if (found !== undefined) return found;
  const near = didYouMean(wanted, known);
  throw new OperatorError(
    `there is no operation "${word}"`,
    "",
    near === null ? "see kstream acl add --help" : `did you mean ${lower(near)}?`,
    2,
  );
}

function isOperation(name: string): name is AclOperation {
  return Object.hasOwn(AclOperations, name);
}

/** A principal with its type. Throws where there is none (usage). */
export function principalOf(text: string): string {
  if (/^[^:]+:./.test(text)) return text;
  throw new OperatorError(`"${text}" is no principal`, "", `write it as User:${text}`, 2);
}

/** The filter that the options describe; without any, everything. */
export function filterOf(options: FilterOptions): AclFilter {
  const { prefix, match, allow, deny, principal, operation } = options;
  const resource = resourceOf(options);
  if (prefix === true && match === true) {
    throw new OperatorError("--prefix and --match exclude each other", "", "choose one", 2);
  }
  if (allow === true && deny === true) {
    throw new OperatorError("--allow and --deny exclude each other", "", "choose one", 2);
  }
  if ((prefix === true || match === true) && resource === null) {
    throw new OperatorError("--prefix and --match need a name", "", "give --topic or --group", 2);
  }
  return {
    resourceType: resource?.resourceType ?? null,
    resourceName: resource?.resourceName ?? null,
    patternType: match === true
      ? "MATCH"
      : prefix === true
      ? "PREFIXED"
      : resource === null
      ? null
      : "LITERAL",
    principal: principal === undefined ? null : principalOf(principal),
    host: options.host ?? null,
    operation: operation === undefined ? null : operationOf(operation),
    permission: allow === true ? "ALLOW" : deny === true ? "DENY" : null,
  };
}

function lower(word: string): string {
  return word.toLowerCase().replaceAll("_", "-");
}

/** `topic orders`, `topics orders*`. */
function shownResource({ resourceType, resourceName, patternType }: AclEntry): string {
  const type = lower(resourceType);
  if (resourceType === "CLUSTER") return type;
  if (patternType === "PREFIXED") return `${type} ${resourceName}…`;
  return resourceName === "*" ? `every ${type}` : `${type} ${resourceName}`;
}

/** A rule in a sentence. */
export function shownEntry(entry: AclEntry): string {
  const { permission, principal, operation, host } = entry;
  const from = host === "*" ? "" : ` from ${host}`;
  return `${lower(permission)} ${principal} to ${lower(operation)} ${shownResource(entry)}${from}`;
}

/** Rules as a table, by resource. */
export function formatAcls(entries: readonly AclEntry[]): string {
  const key = (entry: AclEntry) => `${shownResource(entry)} ${entry.principal} ${entry.operation}`;
  return formatTable(entries.toSorted((a, b) => key(a) < key(b) ? -1 : 1), [
    { title: "RESOURCE", cell: shownResource },
    { title: "PRINCIPAL", cell: ({ principal }) => principal },
    { title: "PERMISSION", cell: ({ permission }) => lower(permission) },
    { title: "OPERATION", cell: ({ operation }) => lower(operation) },
    { title: "HOST", cell: ({ host }) => host },
  ]);
}

/** A rule in JSON: Kafka's own words. */
export function aclJson(entry: AclEntry) {
  const { resourceType, resourceName, patternType, principal, host, operation, permission } = entry;
  return { resourceType, resourceName, patternType, principal, host, operation, permission };
}

/** A refusal of an ACL call as a line. */
export function aclRefusal(what: string, error: unknown): unknown {
  return error instanceof KafkaError && error.code === Errors.SECURITY_DISABLED
    ? new OperatorError(
      what,
      "the brokers have no authorizer",
      "start them with authorizer.class.name=" +
        "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    )
    : refusal(what, error);
}
