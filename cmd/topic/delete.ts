import { Errors } from "../../core/errors.ts";
import { refusal, throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { missingTopic } from "../client.ts";
import { print, printJson } from "../output.ts";

/** Options of `topic delete`. */
export interface DeleteOptions extends AdminOptions {
  readonly ifExists?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream topic delete`. */
export async function deleteTopics(
  names: readonly string[],
  options: DeleteOptions,
): Promise<void> {
  await withAdmin(options, async (admin) => {
    const results = await admin.deleteTopics([...new Set(names)]);
    const isMissing = (code: number | undefined) => code === Errors.UNKNOWN_TOPIC_OR_PARTITION;
    const done = results.filter(({ error }) =>
      error === null || (options.ifExists && isMissing(error.code))
    );
    const said = done.map(({ name, error }) => ({ topic: name, deleted: error === null }));
    if (options.json) await printJson(said);
    else {
      await print(
        said.map(({ topic, deleted }) =>
          deleted ? `deleted topic ${topic}\n` : `topic ${topic} is not there\n`
        ).join(""),
      );
    }
    const failures = results.filter((result) => !done.includes(result));
    throwFailures(
      await Promise.all(
        failures.map(({ name, error }) =>
          isMissing(error?.code)
            ? missingTopic(admin.cluster, name, "--if-exists accepts that")
            : refusal(`cannot delete topic "${name}"`, error)
        ),
      ),
    );
  });
}
