import type { RecordScope } from "../../core/expression/expression.ts";
import { clientOptions } from "../client.ts";
import type { ExpressionFlags } from "../expression-flags.ts";
import type { SecurityFlags } from "../security.ts";
import { Patience } from "../patience.ts";
import { watchRecords } from "../record-watch.ts";
import { count as counted } from "../output.ts";
import { parsePlace } from "../time-options.ts";
import { sayWaited } from "./waiting.ts";
import type { WaitOptions } from "./waiting.ts";

/** Options of `wait records`. */
export interface WaitRecordsOptions extends WaitOptions, SecurityFlags, ExpressionFlags {
  readonly count: number;
  readonly from: string;
  readonly utc?: boolean | undefined;
}

/** `kstream wait records`: so many are there, or come. */
export async function waitRecords(topic: string, options: WaitRecordsOptions): Promise<void> {
  const from = parsePlace(options.from, options.utc ?? false);
  const { compileFlag, newScope, runFlag } = await import(
    "../../core/expression/record-expressions.ts"
  );
  const where = compileFlag("--where", options.where);
  const scope: RecordScope = newScope();
  const patience = new Patience(options.timeout * 1000);
  let matched = 0;
  let read = 0;
  const settings = { topic, from, partitions: null, exitAtEnd: false };
  const client = clientOptions(options);
  const end = await watchRecords({ ...settings, client }, patience, {
    settleMs: 0,
    see(record, place) {
      read++;
      scope.set(record, place);
      if (where === null || runFlag(where, record, place, () => where.expression.test(scope))) {
        matched++;
      }
    },
    verdict: () => matched >= options.count ? "end" : "read-on",
  });
  const which = where === null ? "" : " for which --where holds";
  const said = `${counted(matched, "record")} of ${topic}${which}`;
  if (end === "verdict") return await sayWaited(said, options, patience, said);
  patience.say(`${said}, of ${read.toLocaleString("en")} that were read`);
  await sayWaited(`topic "${topic}"`, options, patience, null);
}
