/** The topic that a copy goes into: made if need be, else gone on with. */
import { Errors } from "../../../core/errors.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import type { Admin } from "../../../client/admin.ts";
import { refusal } from "../../admin-command.ts";
import { count } from "../../output.ts";
import { say } from "../../terminal.ts";
import { unknownConfig } from "../config-names.ts";
import { waitUntilReady } from "../create.ts";
import type { DumpHeader } from "./dump-file.ts";

/** Configs that would change or refuse old records while they are copied: they come at the end. */
const LAST_CONFIGS = [
  "message.timestamp.type",
  "message.timestamp.before.max.ms",
  "message.timestamp.after.max.ms",
];
/** How many configs that the broker does not know are left out. */
const UNKNOWN_CONFIGS_MAX = 20;

/**
 * Makes the topic with the partitions and configs of the source, if it is not there. Returns whether
 * it was. Throws `OperatorError` if it is there with other partitions.
 */
export async function openTarget(
  admin: Admin,
  name: string,
  source: DumpHeader,
  replicationFactor: number,
): Promise<{ wasThere: boolean }> {
  const partitions = source.partitions.length;
  const [described] = await admin.describeTopics([name]);
  const there = described?.topic?.partitions.length;
  if (there !== undefined) {
    if (there === partitions) return { wasThere: true };
    const why = `it has ${count(there, "partition")}, and ${partitions} are to be copied`;
    throw new OperatorError(`cannot copy into topic "${name}"`, why, "choose another name");
  }
  const configs = Object.fromEntries(
    Object.entries(source.configs).filter(([config]) => !LAST_CONFIGS.includes(config)),
  );
  for (let attempt = 0; attempt <= UNKNOWN_CONFIGS_MAX; attempt++) {
    const [result] = await admin.createTopics([{ name, partitions, replicationFactor, configs }]);
    const error = result?.error ?? null;
    if (error === null) {
      await waitUntilReady(admin, [name]);
      return { wasThere: false };
    }
    const unknown = error.code === Errors.INVALID_CONFIG
      ? Object.keys(configs).find((config) => error.detail?.includes(config) ?? false)
      : undefined;
    const what = `cannot create topic "${name}"`;
    if (unknown === undefined || await unknownConfig(what, error) === null) {
      throw refusal(what, error);
    }
    say(`kstream: config ${unknown}=${configs[unknown]} is left out: the broker does not know it`);
    delete configs[unknown];
  }
  throw new OperatorError(`cannot create topic "${name}"`, "too many configs are not known", "");
}

/** Sets what `openTarget` has put off. */
export async function finishTarget(admin: Admin, name: string, source: DumpHeader): Promise<void> {
  const changes = LAST_CONFIGS.flatMap((config) => {
    const value = source.configs[config];
    return value === undefined ? [] : [{ name: config, operation: "set" as const, value }];
  });
  if (changes.length > 0) await admin.incrementalAlterConfigs({ type: "topic", name }, changes);
}
