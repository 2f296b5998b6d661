import { Errors } from "../../core/errors.ts";
import { sleep } from "../../core/io.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin, CreatedTopic } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo, TOPIC_NAME_RULE } from "../client.ts";
import { count, print, printJson } from "../output.ts";
import { unknownConfig } from "./config-names.ts";

/** Options of `topic create`. */
export interface CreateOptions extends AdminOptions {
  readonly partitions?: number | undefined;
  readonly replication?: number | undefined;
  readonly config: Readonly<Record<string, string>>;
  readonly ifNotExists?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** How often and how long apart it is asked whether a new topic can be written to. */
const READY_ATTEMPTS = 100;
const READY_PAUSE_MS = 50;

/** `kstream topic create`. */
export async function createTopics(
  names: readonly string[],
  options: CreateOptions,
): Promise<void> {
  const unique = [...new Set(names)];
  await withAdmin(options, async (admin) => {
    const results = await admin.createTopics(unique.map((name) => ({
      name,
      configs: options.config,
      ...(options.partitions === undefined ? {} : { partitions: options.partitions }),
      ...(options.replication === undefined ? {} : { replicationFactor: options.replication }),
    })));
    const done = results.filter((topic) => topic.error === null || isAccepted(topic, options));
    const created = done.filter(({ error }) => error === null);
    await waitUntilReady(admin, created.map(({ name }) => name));
    if (options.json) await printJson(done.map(toJson));
    else await print(done.map(toLine).join(""));
    const failures = results.filter((topic) => !done.includes(topic));
    throwFailures(await Promise.all(failures.map(({ name, error }) => failure(name, error))));
  });
}

function isAccepted({ error }: CreatedTopic, options: CreateOptions): boolean {
  return options.ifNotExists === true && error?.code === Errors.TOPIC_ALREADY_EXISTS;
}

/** Brokers learn of a topic a little after the controller made it. */
export async function waitUntilReady(admin: Admin, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  for (let attempt = 0; attempt < READY_ATTEMPTS; attempt++) {
    const described = await admin.describeTopics(names);
    if (
      described.every(({ topic }) =>
        topic !== null && topic.partitions.every(({ leader }) => leader >= 0)
      )
    ) return;
    await sleep(clientIo.clock, READY_PAUSE_MS);
  }
}

function toLine({ name, error, partitions, replicationFactor }: CreatedTopic): string {
  if (error !== null) return `topic ${name} is there already\n`;
  // Brokers before 2.4 don't tell.
  const size = partitions < 0
    ? ""
    : `: ${count(partitions, "partition")}, ${count(replicationFactor, "replica")}`;
  return `created topic ${name}${size}\n`;
}

function toJson({ name, error, partitions, replicationFactor }: CreatedTopic) {
  const known = error === null && partitions >= 0;
  return {
    topic: name,
    created: error === null,
    partitions: known ? partitions : null,
    replicationFactor: known ? replicationFactor : null,
  };
}

async function failure(name: string, error: KafkaError | null): Promise<unknown> {
  const what = `cannot create topic "${name}"`;
  if (error?.code === Errors.INVALID_CONFIG) {
    return await unknownConfig(what, error) ?? refusal(what, error);
  }
  if (error?.code === Errors.INVALID_TOPIC_EXCEPTION) {
    return new OperatorError(what, error.detail ?? "the name is not valid", TOPIC_NAME_RULE);
  }
  return refusal(what, error);
}
