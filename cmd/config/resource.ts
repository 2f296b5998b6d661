import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin, ConfigResource } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { refusal } from "../admin-command.ts";
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

/** The resource in a sentence. */
export function shown({ type, name }: ConfigResource): string {
  if (type === "broker") {
    return name === "" || name === ALL_BROKERS ? "all brokers" : `broker ${name}`;
  }
  return type === "client" ? `client metrics "${name}"` : `${type} "${name}"`;
}
