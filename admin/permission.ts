/**
 * What users may do where no API of Kafka's stands behind a route, and so no handler asks the
 * authorizer. Only where the server knows its users: else whoever reaches it is trusted with this.
 */
import {
  type Authorizer,
  CLUSTER_NAME,
  type Principal,
  principalName,
  type ResourceOperation,
} from "../broker/authorizer.ts";
import type { HostPort } from "../core/io.ts";
import { Problem } from "./problem.ts";

/** Paths, and what the cluster has to allow for reading there and for changing something. */
const OF_CLUSTER: readonly RegExp[] = [
  /^\/v1\/(clients|members|trash|dev|connect|streams)(\/|$)/,
  /^\/metrics(\/|$)/,
  /^\/health$/,
];
const PURGE = /^\/v1\/topics\/([^/]+)\/purge$/;

/** Why the user may not, or null. `path` is as it came, `peer` where from. */
export function forbidden(
  authorizer: Authorizer,
  principal: Principal,
  peer: HostPort,
  { method, path }: { readonly method: string; readonly path: string },
): Problem | null {
  const wanted = wantedFor(method, path);
  if (wanted === null || authorizer.authorize(principal, peer, wanted)) return null;
  const { operation, resourceType, name } = wanted;
  const what = resourceType === "CLUSTER" ? "the cluster" : `topic "${name.slice(0, 249)}"`;
  const who = principalName(principal);
  return new Problem(403, "not authorized", `${who} has no ${operation} on ${what}`);
}

function wantedFor(method: string, path: string): ResourceOperation | null {
  const [, topic] = PURGE.exec(path) ?? [];
  if (topic !== undefined) {
    return { operation: "DELETE", resourceType: "TOPIC", name: decoded(topic) };
  }
  if (!OF_CLUSTER.some((pattern) => pattern.test(path))) return null;
  const operation = method === "GET" || method === "HEAD" ? "DESCRIBE" : "ALTER";
  return { operation, resourceType: "CLUSTER", name: CLUSTER_NAME };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
