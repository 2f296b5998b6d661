import { print, printJson } from "../output.ts";
import { throwFailures, withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { findTargets } from "../group/seek-targets.ts";
import { count } from "../output.ts";
import { say } from "../terminal.ts";
import { executeTrims, formatTrims, planTrims } from "./trim.ts";

/** Options of `topic purge`. */
export interface PurgeOptions extends AdminOptions {
  readonly execute?: boolean | undefined;
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream topic purge`: deletes all records of topics, or shows how many. The topics stay. */
export async function purgeTopics(
  specs: readonly string[],
  options: PurgeOptions,
): Promise<void> {
  const isExecuted = options.execute === true || options.yes === true;
  await withAdmin(options, async (admin) => {
    const targets = await findTargets(admin, [], specs);
    const purges = await planTrims(admin, targets, { kind: "end", minus: 0n });
    const failures = isExecuted ? await executeTrims(admin, purges) : [];
    if (options.json) await printJson({ executed: isExecuted, partitions: purges });
    else await print(formatTrims(purges));
    throwFailures(failures);
    if (isExecuted) return;
    const offsets = purges.reduce((sum, purge) => sum + purge.offsets, 0);
    say(
      `kstream: nothing is deleted yet: add --execute to delete ${
        count(offsets, "record")
      } for good`,
    );
  });
}
