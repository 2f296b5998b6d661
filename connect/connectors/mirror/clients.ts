/** Clients of the two clusters. */
import { Admin, isRetriableError, KafkaError, TimeoutError } from "../../../client/index.ts";
import type { ClientIo, ClientOptions } from "../../../client/index.ts";
import { Errors } from "../../../core/errors.ts";
import { bunClock } from "../../../core/io/bun/clock.ts";
import { bunNetwork } from "../../../core/io/bun/network.ts";
import { bunRandom } from "../../../core/io/bun/random.ts";
import { FieldError, RetriableError } from "../../index.ts";
import type { TaskContext } from "../../index.ts";
import { clusterOptions } from "./cluster-fields.ts";
import type { BaseConfig } from "./fields.ts";
import { withRight } from "./rights.ts";
import type { Side } from "./rights.ts";

/** Clock, chance and network, as connectors are free to have them. */
export const io: ClientIo = { clock: bunClock, random: bunRandom, network: bunNetwork };

/** How the source is reached. */
export function sourceOptions(config: BaseConfig): ClientOptions {
  return {
    ...clusterOptions(config, "source"),
    apiTimeoutMs: config["admin.timeout.ms"],
    clientId: `${config["source.cluster.alias"]}->${config["target.cluster.alias"]}`,
  };
}

/** How the target is reached: the worker's cluster, unless the config names one. */
export function targetOptions({ config, cluster }: TaskContext<BaseConfig>): ClientOptions {
  const own = config["target.cluster.bootstrap.servers"] === null
    ? cluster
    : clusterOptions(config, "target");
  if (own === null) {
    throw new FieldError('"target.cluster.bootstrap.servers" is missing: there is no cluster here');
  }
  return {
    ...own,
    apiTimeoutMs: config["admin.timeout.ms"],
    clientId: `${config["source.cluster.alias"]}->${config["target.cluster.alias"]}`,
  };
}

export function optionsOf(context: TaskContext<BaseConfig>, side: Side) {
  return side === "source" ? sourceOptions(context.config) : targetOptions(context);
}

/** Gives admins of both to `body` and closes them. */
export async function withAdmins<T>(
  context: TaskContext<BaseConfig>,
  body: (source: Admin, target: Admin) => Promise<T>,
): Promise<T> {
  const source = new Admin(io, sourceOptions(context.config));
  const target = new Admin(io, targetOptions(context));
  try {
    return await body(source, target);
  } finally {
    source.close();
    target.close();
  }
}

/** What may work later, as the runtime wants it said; anything else as it is. */
export function asRetriable(error: unknown): unknown {
  const isPassing = isRetriableError(error) || error instanceof TimeoutError;
  return isPassing && error instanceof Error ? new RetriableError(error.message) : error;
}

/**
 * Calls `body` at once and then again and again; what fails is logged, and tried at the next time.
 * Comes back when the signal aborts.
 */
export async function repeatedly(
  { clock, signal, log }: TaskContext<BaseConfig>,
  everySeconds: number,
  what: string,
  body: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await body();
    } catch (error) {
      if (signal.aborted) return;
      log.warn(`${what} failed, it is tried again`, { why: messageOf(error) });
    }
    await clock.sleep(everySeconds * 1000, signal);
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Makes a compacted topic of one partition unless it is there. */
export async function needCompactedTopic(
  side: Side,
  admin: Admin,
  name: string,
  replicationFactor: number,
): Promise<void> {
  const configs = { "cleanup.policy": "compact" };
  const [made] = await admin.createTopics([{ name, partitions: 1, replicationFactor, configs }]);
  const error = made?.error ?? null;
  if (error instanceof KafkaError && error.code === Errors.TOPIC_ALREADY_EXISTS) return;
  if (error !== null) throw withRight(side, `CREATE of topic "${name}"`, error);
}
