/** `kstream expect`: reads a topic until its records are as expected, or cannot be any more. */
import { writeFile } from "node:fs/promises";
import type { RecordPlace } from "../../core/expression/expression.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { RecordCursor } from "../../core/records/record-cursor.ts";
import { clientOptions, toOperatorError } from "../client.ts";
import type { OffsetPoint } from "../../core/text/offset-range.ts";
import { compileFlag, newScope, runFlag } from "../../core/expression/record-expressions.ts";
import type { Flag } from "../../core/expression/record-expressions.ts";
import { print, printJson } from "../output.ts";
import { Patience } from "../patience.ts";
import { reasonOf } from "../reason.ts";
import { watchRecords } from "../record-watch.ts";
import type { Verdict, WatchEnd, Watcher } from "../record-watch.ts";
import { CountCheck, KeyOrderCheck, NoneCheck, OrderCheck, UniqueCheck } from "./checks.ts";
import type { Check, CountBounds } from "./checks.ts";
import { Closest } from "./closest.ts";
import { formatClosest, formatJunit, formatSummary, formatTap } from "./report.ts";
import type { ExpectResult } from "./report.ts";

/** What the command line asks for. */
export interface ExpectSettings {
  readonly topic: string;
  readonly client: ReturnType<typeof clientOptions>;
  readonly from: OffsetPoint;
  readonly partitions: readonly number[] | null;
  readonly withinMs: number;
  readonly settleMs: number;
  readonly exitAtEnd: boolean;
  /** Only records with this key. */
  readonly key: string | null;
  readonly where: string | undefined;
  /** Null where only other things are asked for. */
  readonly count: CountBounds | null;
  readonly orderedBy: readonly string[];
  readonly unique: readonly string[];
  readonly none: readonly string[];
}

/** How to tell. */
export interface ExpectOutput {
  /** A file for JUnit's XML. */
  readonly junit: string | undefined;
  readonly tap: boolean;
  readonly json: boolean;
}

/** Runs the command. Throws an `OperatorError`: 1 not held, 2 usage, 3 no broker answers. */
export async function runExpect(settings: ExpectSettings, output: ExpectOutput): Promise<void> {
  const expectation = new Expectation(settings);
  const patience = new Patience(settings.withinMs);
  let end: WatchEnd;
  try {
    end = await watchRecords(settings, patience, expectation);
  } catch (error) {
    const failure = toOperatorError(error);
    if (failure === null || output.junit === undefined) throw error;
    const result = expectation.result(patience.elapsedMs);
    await writeJunit(output.junit, formatJunit(result, failure.message));
    throw error;
  }
  const result = expectation.result(patience.elapsedMs);
  if (output.junit !== undefined) await writeJunit(output.junit, formatJunit(result, null));
  if (output.json) await printJson(result);
  else if (output.tap) await print(formatTap(result));
  else if (result.held) await print(formatSummary(result));
  if (!result.held) throw notHeld(result, end, patience);
}

function notHeld(result: ExpectResult, end: WatchEnd, { timeoutMs }: Patience): OperatorError {
  const broken = result.checks.filter(({ held }) => !held);
  const when = end === "deadline" ? `within ${timeoutMs / 1000} s` : "";
  const found = broken.map(({ name, detail }) => `${name}: ${detail}`).join("; ");
  return new OperatorError(
    [`topic "${result.topic}" is not as expected`, when].join(" ").trim(),
    `${found}; ${result.read.toLocaleString("en")} read`,
    "",
    1,
    formatClosest(result.closest),
  );
}

async function writeJunit(path: string, xml: string): Promise<void> {
  try {
    await writeFile(path, xml);
  } catch (error) {
    const why = reasonOf(error);
    throw new OperatorError(`cannot write ${path}`, why, "name another file with --junit", 1);
  }
}

class Expectation implements Watcher {
  readonly settleMs: number;
  readonly #key: Buffer | null;
  readonly #where: Flag | null;
  readonly #count: CountCheck;
  /** See the records that match. */
  readonly #checks: readonly Check[];
  /** See all. */
  readonly #none: readonly NoneCheck[];
  readonly #scope = newScope();
  readonly #closest = new Closest();
  #read = 0;

  constructor(readonly settings: ExpectSettings) {
    this.settleMs = settings.settleMs;
    this.#key = settings.key === null ? null : Buffer.from(settings.key);
    this.#where = compileFlag("--where", settings.where);
    this.#count = new CountCheck(settings.count ?? { min: 0, max: null });
    const flags = (flag: string, sources: readonly string[]) =>
      sources.flatMap((source) => compileFlag(flag, source) ?? []);
    this.#none = flags("--none", settings.none).map((flag) => new NoneCheck(flag));
    this.#checks = [
      ...settings.orderedBy.some((source) => source.trim() === "key") ? [new KeyOrderCheck()] : [],
      ...flags("--ordered-by", settings.orderedBy.filter((source) => source.trim() !== "key"))
        .map((flag) => new OrderCheck(flag)),
      ...flags("--unique", settings.unique).map((flag) => new UniqueCheck(flag)),
    ];
  }

  see(record: RecordCursor, place: RecordPlace): void {
    const key = this.#key === null ? null : record.key();
    if (this.#key !== null && (key === null || !this.#key.equals(key))) return;
    this.#read++;
    const scope = this.#scope;
    scope.set(record, place);
    const seen = { record, place, scope };
    for (const none of this.#none) none.see(seen);
    const where = this.#where;
    if (where !== null && !runFlag(where, record, place, () => where.expression.test(scope))) {
      // More than a few are of no use, and each costs.
      if (this.#count.matched === 0 || !this.#count.isReached) {
        this.#closest.see(record, place, where.expression, scope);
      }
      return;
    }
    this.#count.see();
    for (const check of this.#checks) check.see(seen);
  }

  verdict(caughtUp: boolean): Verdict {
    if (this.#all().some(({ isBroken }) => isBroken)) return "end";
    // That something does not come shows only with the time.
    const { min } = this.#count.bounds;
    return caughtUp && min > 0 && this.#count.isReached ? "settle" : "read-on";
  }

  result(elapsedMs: number): ExpectResult {
    const checks = this.#all().map((check) => check.result());
    return {
      topic: this.settings.topic,
      held: checks.every(({ held }) => held),
      elapsedMs,
      read: this.#read,
      matched: this.#count.matched,
      checks,
      closest: this.#count.isReached ? [] : this.#closest.list(),
    };
  }

  #all(): readonly Check[] {
    const counts = this.settings.count === null ? [] : [this.#count];
    return [...counts, ...this.#checks, ...this.#none];
  }
}
