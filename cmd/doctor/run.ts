import { OperatorError } from "../../core/operator-error.ts";
import type { Admin } from "../../client/admin.ts";
import {
  ConnectionError,
  KafkaError,
  TimeoutError,
  UnsupportedError,
} from "../../client/errors.ts";
import { withAdmin } from "../admin-command.ts";
import type { AdminOptions } from "../admin-command.ts";
import { clientIo } from "../client.ts";
import { readDescription } from "../group/describe.ts";
import { count, print, printJson } from "../output.ts";
import { onInterrupt } from "../terminal.ts";
import {
  checkAddresses,
  checkClocks,
  checkDisks,
  checkPartitions,
  checkSkew,
  checkTransactions,
} from "./cluster.ts";
import type { Finding } from "./finding.ts";
import { checkGroups } from "./groups.ts";

/** Options of `doctor`. */
export interface DoctorOptions extends AdminOptions {
  /** Seconds. */
  readonly watch: number;
  readonly json?: boolean | undefined;
}

interface Check {
  readonly name: string;
  run(): Promise<Finding[]> | Finding[];
}

/** What became of a check. `skipped` says why it could not be made. */
interface Result {
  readonly check: string;
  readonly skipped: string | null;
  readonly findings: readonly Finding[];
}

/** `kstream doctor`. */
export async function runDoctor(
  what: "group" | undefined,
  name: string | undefined,
  options: DoctorOptions,
): Promise<void> {
  if (what === "group" && name === undefined) {
    throw new OperatorError("no group is named", "", "as in: kstream doctor group billing", 2);
  }
  const results = await withAdmin(options, async (admin) => {
    const checks = name === undefined
      ? await clusterChecks(admin, options)
      : await groupChecks(admin, name, options);
    const all: Result[] = [];
    for (const check of checks) all.push(await run(check));
    return all;
  });
  const findings = results.flatMap((each) => each.findings);
  const problems = findings.filter(({ level }) => level === "problem").length;
  if (options.json) {
    const checks = results.map(({ check, skipped }) => ({ check, skipped }));
    await printJson({ healthy: problems === 0, checks, findings });
  } else await print(format(results));
  if (problems > 0) throw new OperatorError(`${count(problems, "problem")} found`, "", "");
}

async function clusterChecks(admin: Admin, options: DoctorOptions): Promise<Check[]> {
  const signal = onInterrupt();
  const topics = await admin.listTopics({ internal: true });
  const nowMs = clientIo.clock.wallMs();
  return [
    { name: "address", run: () => checkAddresses(admin, options.brokers) },
    { name: "partitions", run: () => checkPartitions(topics) },
    { name: "disk", run: () => checkDisks(admin) },
    { name: "clock", run: () => checkClocks(admin, topics, nowMs) },
    { name: "transactions", run: () => checkTransactions(admin, topics, nowMs) },
    {
      name: "groups",
      run: async () => {
        const names = (await admin.groups.list()).map(({ groupId }) => groupId);
        return await checkGroups(admin, names, options, signal);
      },
    },
    {
      name: "skew",
      run: () => checkSkew(admin, topics.filter(({ isInternal }) => !isInternal)),
    },
  ];
}

async function groupChecks(admin: Admin, name: string, options: DoctorOptions): Promise<Check[]> {
  await readDescription(admin, name);
  const signal = onInterrupt();
  return [{ name: "groups", run: () => checkGroups(admin, [name], options, signal) }];
}

/** A check that cannot be made (no right, an older broker, a broker that is gone) is told, no more. */
async function run({ name, run }: Check): Promise<Result> {
  try {
    return { check: name, skipped: null, findings: await run() };
  } catch (error) {
    const isKnown = error instanceof KafkaError || error instanceof TimeoutError ||
      error instanceof ConnectionError || error instanceof UnsupportedError;
    if (!isKnown) throw error;
    return { check: name, skipped: error.message, findings: [] };
  }
}

function format(results: readonly Result[]): string {
  return results.map(({ check, skipped, findings }) => {
    if (skipped !== null) return `${check}: not checked: ${skipped}\n`;
    if (findings.length === 0) return `${check}: ok\n`;
    return findings.map(({ level, what, fix, record }) =>
      `${check}: ${level}: ${what}\n` +
      (record === undefined ? "" : `  the record: ${record}\n`) + `  what to do: ${fix}\n`
    ).join("");
  }).join("");
}
