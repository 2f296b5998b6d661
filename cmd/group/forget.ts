import { didYouMean } from "../../core/did-you-mean.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin } from "../../client/admin.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { print, printJson } from "../output.ts";
import { readDescription } from "./describe.ts";
import { type Position, readPositions } from "../../client/admin/positions.ts";

/** Options of `group forget`. */
export interface ForgetOptions extends AdminOptions {
  readonly json?: boolean | undefined;
}

/** `kstream group forget`. */
export async function forgetTopics(
  group: string,
  topics: readonly string[],
  options: ForgetOptions,
): Promise<void> {
  await withAdmin(options, async (admin) => {
    const { type, positions } = await readGroup(admin, group);
    const forgotten: string[] = [];
    const failures: unknown[] = [];
    for (const topic of new Set(topics)) {
      try {
        await forget(admin, group, type, topic, positions);
        forgotten.push(topic);
      } catch (error) {
        failures.push(refusal(`cannot make group "${group}" forget topic "${topic}"`, error));
      }
    }
    if (options.json) await printJson(forgotten.map((topic) => ({ group, topic })));
    else {
      await print(forgotten.map((topic) => `group ${group} forgot topic ${topic}\n`).join(""));
    }
    throwFailures(failures);
  });
}

async function readGroup(admin: Admin, group: string) {
  try {
    const { type } = await readDescription(admin, group);
    return { type, positions: await readPositions(admin, group, type) };
  } catch (error) {
    throw refusal(`cannot read the offsets of group "${group}"`, error);
  }
}

async function forget(
  admin: Admin,
  group: string,
  type: string,
  topic: string,
  positions: readonly Position[],
): Promise<void> {
  const own = positions.filter((each) => each.topic === topic);
  if (own.length === 0) {
    const near = didYouMean(topic, positions.map((each) => each.topic));
    const hint = near === null ? `see: kstream group describe ${group}` : `did you mean "${near}"?`;
    throw new OperatorError(`group "${group}" has no offsets in topic "${topic}"`, "", hint);
  }
  if (type === "share") {
    const results = await admin.groups.deleteShareOffsets(group, [topic]);
    throwFailures(results.flatMap(({ error }) => error ?? []));
  } else {
    const partitions = own.map(({ partition }) => partition);
    await admin.groups.deleteOffsets(group, [{ topic, partitions }]);
  }
}
