import { didYouMean } from "../../core/did-you-mean.ts";
import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin, ConfigEntry, ConfigResource } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { refusal, throwFailures } from "../admin-command.ts";
import { missingTopic } from "../client.ts";

/** How a user names what holds for all brokers; on the wire it is the empty name. */
const ALL_BROKERS = "default";

/** The resource as the protocol names it. Throws for a broker that is no number (usage). */
export function resourceOf(wanted: ConfigResource): ConfigResource {
  if (wanted.type !== "broker") return wanted;
  if (wanted.name === ALL_BROKERS) return { type: "broker", name: "" };
  if (/^\d+$/.test(wanted.name)) return wanted;
  throw new OperatorError(
    `"${wanted.name}" is no broker`,
    "",
    `give its id, or "${ALL_BROKERS}" for all brokers`,
    2,
  );
}

/** A refusal about a resource as a line; for a topic that is not there, what there is. */
export async function configRefusal(
  admin: Admin,
  what: string,
  resource: ConfigResource,
  error: unknown,
): Promise<unknown> {
  return error instanceof KafkaError && error.code === Errors.UNKNOWN_TOPIC_OR_PARTITION
    ? await missingTopic(admin.cluster, resource.name)
    : refusal(`${what} ${shown(resource)}`, error);
}

/** A broker that is not there would be waited for, as for one that starts. Throws `OperatorError`. */
export async function requireBroker(admin: Admin, { type, name }: ConfigResource): Promise<void> {
  if (type !== "broker" || name === "") return;
  const { brokers } = await admin.cluster.refresh([]);
  const ids = brokers.map(({ nodeId }) => nodeId).toSorted((a, b) => a - b);
  if (ids.includes(Number(name))) return;
  throw new OperatorError(`there is no broker ${name}`, "", `there are: ${ids.join(", ")}`, 1);
}

/**
 * Brokers put back names that they do not know without a word. Throws `OperatorError`, or several in
 * an `AggregateError`.
 */
export async function requireKnown(
  admin: Admin,
  resource: ConfigResource,
  names: readonly string[],
): Promise<void> {
  // Of these, only what is set is listed.
  if (names.length === 0 || resource.type === "client" || resource.name === "") return;
  const all = await admin.describeConfigs(resource);
  const missing = names.filter((name) => !all.some((each) => each.name === name));
  throwFailures(missing.map((name) => missingConfig(resource, name, all)));
}

/** The error for a config that the resource does not have. */
export function missingConfig(
  resource: ConfigResource,
  name: string,
  all: readonly ConfigEntry[],
): OperatorError {
  const near = didYouMean(name, all.map((each) => each.name));
  const { type } = resource;
  const hint = near === null
    ? `see: kstream config get ${type} ${resource.name} --all`
    : `did you mean ${near}?`;
  return new OperatorError(`${shown(resource)} has no config "${name}"`, "", hint, 1);
}

/** The resource in a sentence. */
export function shown({ type, name }: ConfigResource): string {
  if (type === "broker") {
    return name === "" || name === ALL_BROKERS ? "all brokers" : `broker ${name}`;
  }
  return type === "client" ? `client metrics "${name}"` : `${type} "${name}"`;
}
