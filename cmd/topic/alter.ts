import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin, ConfigChange } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { refusal, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { missingTopic } from "../client.ts";
import { requireKnown } from "../config/resource.ts";
import { count, print, printJson } from "../output.ts";
import { unknownConfig } from "./config-names.ts";

/** Options of `topic alter`. */
export interface AlterOptions extends AdminOptions {
  readonly partitions?: number | undefined;
  readonly config: Readonly<Record<string, string>>;
  readonly deleteConfig: readonly string[];
  readonly json?: boolean | undefined;
}

/** `kstream topic alter`: all is checked before anything is changed. */
export async function alterTopic(name: string, options: AlterOptions): Promise<void> {
  const changes = configChanges(options);
  const { partitions } = options;
  if (changes.length === 0 && partitions === undefined) {
    throw new OperatorError(
      "there is nothing to change",
      "",
      "give --partitions, --config or --delete-config",
      2,
    );
  }
  await withAdmin(options, async (admin) => {
    const [described] = await admin.describeTopics([name]);
    if (described?.error?.code === Errors.UNKNOWN_TOPIC_OR_PARTITION) {
      throw await missingTopic(admin.cluster, name);
    }
    await requireKnown(admin, { type: "topic", name }, options.deleteConfig);
    const stages: readonly boolean[] = partitions === undefined || changes.length === 0
      ? [false]
      : [true, false];
    for (const validateOnly of stages) {
      if (partitions !== undefined) await addPartitions(admin, name, partitions, validateOnly);
      if (changes.length > 0) await alterConfigs(admin, name, changes, validateOnly);
    }
  });
  if (options.json) {
    await printJson({
      topic: name,
      partitions: partitions ?? null,
      config: options.config,
      deletedConfigs: options.deleteConfig,
    });
  } else {
    const said = changes.map((change) =>
      change.operation === "set"
        ? `${change.name}=${change.value}`
        : `${change.name} to its default`
    );
    if (partitions !== undefined) said.unshift(count(partitions, "partition"));
    await print(`altered topic ${name}: ${said.join(", ")}\n`);
  }
}

function configChanges({ config, deleteConfig }: AlterOptions): ConfigChange[] {
  const both = deleteConfig.find((name) => Object.hasOwn(config, name));
  if (both !== undefined) {
    throw new OperatorError(`config "${both}" is both set and deleted`, "", "choose one", 2);
  }
  return [
    ...Object.entries(config).map(([name, value]) => ({ name, operation: "set", value }) as const),
    ...[...new Set(deleteConfig)].map((name) =>
      ({ name, operation: "delete", value: null }) as const
    ),
  ];
}

async function addPartitions(admin: Admin, name: string, total: number, validateOnly: boolean) {
  const [result] = await admin.createPartitions([{ name, count: total }], { validateOnly });
  if (result !== undefined && result.error !== null) {
    throw refusal(`cannot set topic "${name}" to ${count(total, "partition")}`, result.error);
  }
}

async function alterConfigs(
  admin: Admin,
  name: string,
  changes: readonly ConfigChange[],
  validateOnly: boolean,
): Promise<void> {
  try {
    await admin.incrementalAlterConfigs({ type: "topic", name }, changes, { validateOnly });
  } catch (error) {
    const what = `cannot change configs of topic "${name}"`;
    if (!(error instanceof KafkaError)) throw error;
    throw await unknownConfig(what, error) ?? refusal(what, error);
  }
}
