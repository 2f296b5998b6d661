import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin, ConfigChange } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { readSmallFile } from "../group/small-file.ts";
import { count, print, printJson } from "../output.ts";
import { say } from "../terminal.ts";
import { planTopics } from "./apply/plan.ts";
import type { Plan, PresentTopic, TopicChange } from "./apply/plan.ts";
import { formatPlace, parseTopicsFile } from "./apply/topics-file.ts";
import type { WantedTopic } from "./apply/topics-file.ts";
import { unknownConfig } from "./config-names.ts";
import { waitUntilReady } from "./create.ts";

/** Options of `topic apply`. */
export interface ApplyOptions extends AdminOptions {
  readonly file: readonly string[];
  readonly prune?: boolean | undefined;
  readonly execute?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** How many topics are asked for their configs at a time. */
const TOPICS_AT_ONCE = 16;

/** `kstream topic apply`: a plan, checked by the broker as a whole; then, if told so, the changes. */
export async function applyTopics(options: ApplyOptions): Promise<void> {
  const wanted = await readWanted(options.file);
  if (options.prune && wanted.length === 0) {
    // As where the program that writes the file has failed.
    const why = "--prune would delete all topics there are";
    throw new OperatorError("no file names a topic", why, "name at least one", 2);
  }
  const isExecuted = options.execute === true || options.yes === true;
  await withAdmin(options, async (admin) => {
    const plan = planTopics(wanted, await readPresent(admin, wanted), options.prune ?? false);
    const refusals: unknown[] = [...plan.refusals];
    if (refusals.length === 0) refusals.push(...await carryOut(admin, plan.changes, true));
    const failures = isExecuted && refusals.length === 0
      ? await carryOut(admin, plan.changes, false)
      : [];
    const done = isExecuted && refusals.length === 0 && failures.length === 0;
    if (options.json) await printJson(toJson(plan, done));
    else await print(format(plan));
    throwFailures([...refusals, ...failures]);
    if (!isExecuted && plan.changes.length > 0) {
      say("kstream: nothing is changed yet: add --execute to do it");
    }
  });
}

async function readWanted(paths: readonly string[]): Promise<WantedTopic[]> {
  const mistakes: unknown[] = [];
  const byName = new Map<string, WantedTopic>();
  for (const path of paths.flatMap(filesOf)) {
    try {
      for (
        const topic of parseTopicsFile(await readSmallFile(path), path === "-" ? "stdin" : path)
      ) {
        const other = byName.get(topic.name);
        if (other === undefined) byName.set(topic.name, topic);
        else {
          const where = `${formatPlace(topic.place)}: topic "${topic.name}"`;
          const why = `it stands at ${formatPlace(other.place)} already`;
          mistakes.push(new OperatorError(where, why, "leave one out", 2));
        }
      }
    } catch (error) {
      if (error instanceof AggregateError) mistakes.push(...error.errors);
      else mistakes.push(error);
    }
  }
  throwFailures(mistakes);
  return [...byName.values()];
}

/** The file, or what a directory has of YAML. */
function filesOf(path: string): string[] {
  if (path === "-" || !(statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false)) {
    return [path];
  }
  const names = readdirSync(path).filter((name) => /\.ya?ml$/.test(name)).sort();
  if (names.length > 0) return names.map((name) => join(path, name));
  throw new OperatorError(`${path} has no file named *.yaml or *.yml`, "", "name another", 2);
}

async function readPresent(
  admin: Admin,
  wanted: readonly WantedTopic[],
): Promise<Map<string, PresentTopic>> {
  const listed = new Set(wanted.map(({ name }) => name));
  const topics = (await admin.listTopics({ internal: true }))
    .filter(({ name, isInternal }) => !isInternal || listed.has(name));
  const present = new Map<string, PresentTopic>();
  for (let from = 0; from < topics.length; from += TOPICS_AT_ONCE) {
    await Promise.all(
      topics.slice(from, from + TOPICS_AT_ONCE).map(async (topic) => {
        const { name, partitions } = topic;
        const configs = listed.has(name)
          ? await admin.describeConfigs({ type: "topic", name })
          : [];
        const replicationFactor = partitions[0]?.replicas.length ?? 0;
        present.set(name, { name, partitions: partitions.length, replicationFactor, configs });
      }),
    );
  }
  return present;
}

/** Does all of it, or has it checked; returns what failed. Deletions come last. */
async function carryOut(
  admin: Admin,
  changes: readonly TopicChange[],
  validateOnly: boolean,
): Promise<unknown[]> {
  const failures: unknown[] = [];
  failures.push(...await create(admin, changes, validateOnly));
  for (const change of changes.filter(({ action }) => action === "alter")) {
    try {
      await alter(admin, change, validateOnly);
    } catch (error) {
      failures.push(await explain(change, error));
    }
  }
  const gone = changes.filter(({ action }) => action === "delete").map(({ topic }) => topic);
  if (validateOnly || gone.length === 0 || failures.length > 0) return failures;
  for (const { name, error } of await admin.deleteTopics(gone)) {
    if (error !== null) failures.push(refusal(`cannot delete topic "${name}"`, error));
  }
  return failures;
}

async function create(
  admin: Admin,
  changes: readonly TopicChange[],
  validateOnly: boolean,
): Promise<unknown[]> {
  const fresh = changes.filter(({ action }) => action === "create");
  if (fresh.length === 0) return [];
  const results = await admin.createTopics(
    fresh.map(({ topic, partitions, replicationFactor, configs }) => ({
      name: topic,
      configs: Object.fromEntries(configs.map(({ name, to }) => [name, to ?? ""])),
      ...(partitions === null ? {} : { partitions }),
      ...(replicationFactor === null ? {} : { replicationFactor }),
    })),
    { validateOnly },
  );
  if (!validateOnly) {
    await waitUntilReady(admin, results.flatMap(({ name, error }) => error === null ? [name] : []));
  }
  const failed = results.filter(({ error }) => error !== null);
  return await Promise.all(
    failed.map(({ name, error }) => explain(fresh.find(({ topic }) => topic === name)!, error)),
  );
}

async function alter(admin: Admin, change: TopicChange, validateOnly: boolean): Promise<void> {
  const { topic: name, partitions, configs } = change;
  if (partitions !== null) {
    const [result] = await admin.createPartitions([{ name, count: partitions }], { validateOnly });
    if (result?.error) throw result.error;
  }
  const changes = configs.map(({ name, to }): ConfigChange => ({
    name,
    operation: to === null ? "delete" : "set",
    value: to,
  }));
  if (changes.length === 0) return;
  await admin.incrementalAlterConfigs({ type: "topic", name }, changes, { validateOnly });
}

/** A broker's refusal, with the place of the topic in its file. */
async function explain(change: TopicChange, error: unknown): Promise<unknown> {
  if (!(error instanceof KafkaError)) return error;
  const verb = change.action === "create" ? "create" : "alter";
  const what = `cannot ${verb} topic "${change.topic}"`;
  const told = change.place === null ? what : `${formatPlace(change.place)}: ${what}`;
  const known = error.code === Errors.INVALID_CONFIG ? await unknownConfig(told, error) : null;
  return known ?? refusal(told, error);
}

function toJson({ changes, unchanged, unlisted }: Plan, executed: boolean) {
  return {
    executed,
    changes: changes.map(({ place, configs, ...change }) => ({
      ...change,
      set: Object.fromEntries(
        configs.flatMap(({ name, to }) => to === null ? [] : [[name, to]]),
      ),
      unset: configs.flatMap(({ name, to }) => to === null ? [name] : []),
      file: place?.file ?? null,
      line: place?.line ?? null,
    })),
    unchanged,
    unlisted,
  };
}

function format({ changes, unchanged, unlisted, refusals }: Plan): string {
  const lines = changes.map(line);
  if (changes.length === 0 && refusals.length === 0) {
    lines.push(`nothing to do: ${count(unchanged.length, "topic")} as written`);
  }
  if (unlisted.length > 0) {
    lines.push(`${count(unlisted.length, "topic")} in no file: --prune would delete them`);
  }
  return lines.map((text) => text + "\n").join("");
}

function line(change: TopicChange): string {
  const { action, topic, partitions, partitionsBefore, replicationFactor, configs } = change;
  const details: string[] = [];
  switch (action) {
    case "delete":
      return `- delete ${topic}: all records of ${count(partitionsBefore ?? 0, "partition")}`;
    case "create":
      if (partitions !== null) details.push(count(partitions, "partition"));
      if (replicationFactor !== null) details.push(count(replicationFactor, "replica"));
      details.push(...configs.map(({ name, to }) => `${name}=${to}`));
      return `+ create ${topic}${details.length === 0 ? "" : `: ${details.join(", ")}`}`;
    case "alter":
      if (partitions !== null) details.push(`partitions ${partitionsBefore} → ${partitions}`);
      details.push(
        ...configs.map(({ name, from, to }) =>
          `${name} ${from ?? "(default)"} → ${to ?? "(default)"}`
        ),
      );
      return `~ alter ${topic}: ${details.join(", ")}`;
  }
}
