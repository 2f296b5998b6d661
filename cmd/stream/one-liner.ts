/** `kstream stream sql` and `pipe`: applications that are written on the command line. */
import { createHash } from "node:crypto";
import { Admin } from "../../client/admin.ts";
import { ExpressionError } from "../../core/expression/expression-error.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { parseStreamsConfig } from "../../stream/runtime/streams-config.ts";
import { internalName } from "../../stream/runtime/topic-plan.ts";
import type { Topology } from "../../stream/topology/topology.ts";
import { clientIo, clientOptions, toOperatorError as toOperatorFailure } from "../client.ts";
import { presentEnd } from "./present-end.ts";
import { givenConfig, type RunOptions, runTopology } from "./run.ts";
import type { AppConfig } from "./load-app.ts";
import { say } from "../terminal.ts";
import { RowsOut } from "./rows-out.ts";
import type { ThreadSource } from "./threads/messages.ts";

/** How long is tried to take away what a query has made. */
const CLEAN_MS = 10_000;
/** How long a broker is looked for to do that: one that has not answered hardly will. */
const CONTACT_MS = 2000;
/** How often is looked whether something seems to be mistaken. */
const LOOK_AFTER_MS = 2000;

export interface OneLinerOptions extends RunOptions {
  /** The application's id. */
  readonly name?: string | undefined;
  /** Of rows that are printed. */
  readonly limit?: number | undefined;
  /** End, of one that prints, when all that there was at the beginning is printed. */
  readonly exitAtEnd?: boolean | undefined;
}

/** What was written. */
interface OneLiner {
  /** `sql` or `pipe`. */
  readonly kind: string;
  /** What it says: the same text is the same application. */
  readonly text: string;
  /** Null: it prints. */
  readonly into: string | null;
  build(rows: RowsOut): Topology;
  /** What seems to be mistaken, of what was processed so far. */
  readonly problems?: () => readonly string[];
  /** What threads make it of, where it writes a topic. */
  sourceOf(config: AppConfig): ThreadSource;
}

/**
 * Runs it. One that writes a topic is an application like others, exactly once, and goes on where it was
 * when it is run again. One that prints is a look: it begins at the beginning and leaves nothing behind.
 * Throws `OperatorError`.
 */
export async function runOneLiner(
  { kind, text, into, build, sourceOf, problems = () => [] }: OneLiner,
  options: OneLinerOptions,
): Promise<void> {
  const rows = new RowsOut(options.limit ?? null);
  const topology = inWords(kind, () => build(rows));
  const given = givenConfig(options);
  if (into !== null) {
    if (options.limit !== undefined) {
      throw new OperatorError("--limit is for rows that are printed", "", "leave it out", 2);
    }
    if (options.exitAtEnd === true) {
      const why = "what writes a topic goes on";
      throw new OperatorError("--exit-at-end is for rows that are printed", why, "leave it out", 2);
    }
    const id = options.name ??
      `${kind}-${createHash("sha256").update(text).digest("hex").slice(0, 8)}`;
    const raw = { "application.id": id, ...given };
    const source = sourceOf(raw);
    const run = () => runTopology(topology, parseStreamsConfig(raw), options, { source });
    return await tellingProblems(problems, run);
  }
  const id = options.name ??
    `${kind}-look-${Buffer.from(clientIo.random.bytes(6)).toString("hex")}`;
  const config = parseStreamsConfig({
    "application.id": id,
    "processing.guarantee": "at_least_once",
    "commit.interval.ms": 200,
    "default.dsl.store": "in_memory",
    // Whoever looks on is told at once, and rows that were printed do not come again.
    "uncaught.exception.handler": "shutdown-client",
    ...given,
  });
  if (config.threads > 1) {
    const why = "rows are printed by one thread";
    throw new OperatorError(
      "num.stream.threads is for what writes a topic",
      why,
      "leave it out",
      2,
    );
  }
  if (options.exitAtEnd === true && config.autoOffsetReset === "latest") {
    const why = "auto.offset.reset=latest begins where --exit-at-end ends";
    throw new OperatorError("there is nothing to read", why, "leave one of them out", 2);
  }
  const ends = new EndOfRows(rows, options.exitAtEnd === true);
  try {
    const until = ends.wait((signal) => presentEnd(topology, config, options, signal));
    const run = () => runTopology(topology, config, options, { until, isQuiet: true });
    await tellingProblems(problems, run);
    ends.check();
  } finally {
    ends.stop();
    if (options.name === undefined) await leaveNothing(topology, id, options);
  }
}

/** Tells what seems to be mistaken, once, soon after there is something, or in the end. */
async function tellingProblems(
  problems: () => readonly string[],
  run: () => Promise<void>,
): Promise<void> {
  const told = new Set<string>();
  const tell = () => {
    for (const problem of problems()) {
      if (!told.has(problem)) say(`kstream: ${problem}`);
      told.add(problem);
    }
  };
  let timer = clientIo.clock.setTimer(LOOK_AFTER_MS, function again() {
    tell();
    if (told.size === 0) timer = clientIo.clock.setTimer(LOOK_AFTER_MS, again);
  });
  try {
    await run();
    if (told.size === 0) tell();
  } finally {
    timer.cancel();
  }
}

/** When there are rows enough, or no more of those that there were at the beginning. */
class EndOfRows {
  readonly #stopping = new AbortController();
  #failure: unknown = null;

  constructor(private readonly rows: RowsOut, private readonly isAtEnd: boolean) {}

  async wait(presentEnd: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (!this.isAtEnd) return await this.rows.isOver;
    const { signal } = this.#stopping;
    const end = presentEnd(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#failure = error;
    });
    await Promise.race([this.rows.isOver, end]);
  }

  /** Throws what has kept it from finding the end. */
  check(): void {
    if (this.#failure !== null) throw toOperatorFailure(this.#failure);
  }

  stop(): void {
    this.#stopping.abort();
  }
}

/** `ExpressionError`s with the place in what was written. */
export function inWords<T>(kind: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw toOperatorError(kind, error);
  }
}

/** See `inWords`. */
export function toOperatorError(kind: string, error: unknown): unknown {
  if (!(error instanceof ExpressionError)) return error;
  const what = kind === "sql" ? "the query cannot be read" : "the expression cannot be read";
  return new OperatorError(what, error.message, "", 2, error.excerpt);
}

/** Takes topics and group away; what cannot be taken away is small and empty. */
async function leaveNothing(
  topology: Topology,
  applicationId: string,
  options: OneLinerOptions,
): Promise<void> {
  const admin = new Admin(clientIo, clientOptions(options));
  const topics = [...topology.repartitionTopics.keys()].map((name) =>
    internalName(applicationId, name)
  );
  const timeoutMs = CLEAN_MS;
  try {
    await admin.cluster.any(AbortSignal.timeout(CONTACT_MS));
    if (topics.length > 0) await admin.deleteTopics(topics, { timeoutMs });
    await admin.groups.delete([applicationId], { timeoutMs });
  } catch {
    // The broker is gone, or does not let us: the query is over all the same.
  } finally {
    admin.close();
  }
}
