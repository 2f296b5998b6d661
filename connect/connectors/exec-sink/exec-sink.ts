/** Records as the input of a command. */
import {
  Command,
  describeEnding,
  JsonLinesWriter,
  rowOf,
  TextLinesWriter,
} from "../../formats/index.ts";
import { choice, defineSink, long, RetriableError, string } from "../../index.ts";
import type { SinkContext, SinkTask } from "../../index.ts";

interface Config {
  readonly command: string;
  readonly "timeout.ms": number;
}

type Feed = (bytes: Uint8Array) => Promise<void>;

export default defineSink({
  name: "exec-sink",
  version: "1.0.0",
  needs: "exec",
  doc:
    "Gives records to a command of the shell, a line each on its standard input. With mode=batch the " +
    "command is run for each batch, and its records are done when it ends with 0: at least once. With " +
    "mode=stream one command gets all of them, and those that it has not dealt with when it ends are " +
    "lost to it.",
  example: {
    topics: "orders",
    command: "jq -c .id >> ids",
  },
  config: {
    command: string().importance("HIGH").doc("What the shell runs.").example("jq -c .id >> ids"),
    mode: choice("batch", "stream").default("batch").importance("HIGH").doc(
      "Whether the command is run for every batch of records or once.",
    ),
    "timeout.ms": long({ min: 1 }).default(60_000).doc(
      "How long the command may take for a batch, or to take the bytes of one.",
    ),
    format: choice("lines", "jsonl").default("lines").doc(
      "With lines, texts are given as they are and other values as JSON; with jsonl, all as JSON.",
    ),
    content: choice("value", "record").default("value").doc(
      "What of a record is given: its value, or an object of topic, partition, offset, timestamp, key, " +
        "value and headers.",
    ),
  },
  open(context): SinkTask {
    const { config } = context;
    const writer = config.format === "lines" ? new TextLinesWriter() : new JsonLinesWriter();
    const stream = config.mode === "stream" ? new StreamFeed(context) : null;
    const feed: Feed = stream === null
      ? (bytes) => runBatch(bytes, context)
      : (bytes) => stream.feed(bytes);
    return {
      async write(records) {
        for (const record of records) writer.add(rowOf(record, config.content));
        await feed(writer.drain("all"));
      },
      close: () => stream?.close() ?? Promise.resolve(),
    };
  },
});

/** Ends the command when it takes too long or the task ends. */
async function bounded(
  work: Promise<unknown>,
  command: Command,
  { config, clock, signal }: SinkContext<Config>,
): Promise<void> {
  const done = new AbortController();
  const stop = () => void command.stop(clock);
  const late = clock.sleep(config["timeout.ms"], AbortSignal.any([done.signal, signal]));
  const isLate = late.then(() => {
    if (!done.signal.aborted) stop();
    return !done.signal.aborted && !signal.aborted;
  });
  await work.finally(() => done.abort());
  if (await isLate) throw new Error(`it took longer than ${config["timeout.ms"]} ms`);
}

async function runBatch(bytes: Uint8Array, context: SinkContext<Config>): Promise<void> {
  const { config, connector, log } = context;
  const command = new Command(config.command, false, { KSTREAM_CONNECTOR: connector }, log);
  // It may end with 0 without having read all: that is its affair.
  const fed = command.write(bytes).catch(() => {}).then(() => command.endInput());
  try {
    await bounded(command.ended, command, context);
    await fed;
  } catch (error) {
    throw new RetriableError(
      `the command failed: ${error instanceof Error ? error.message : error}`,
    );
  }
  const ending = await command.ended;
  if ("code" in ending && ending.code === 0) return;
  const words = command.lastWords === "" ? "" : `: ${command.lastWords}`;
  throw new RetriableError(`the command ${describeEnding(ending)}${words}`);
}

/** One command for all records; it is begun again when it has ended. */
class StreamFeed {
  #command: Command | null = null;

  constructor(readonly context: SinkContext<Config>) {}

  async feed(bytes: Uint8Array): Promise<void> {
    const { config, connector, log } = this.context;
    const command = this.#command ??= new Command(
      config.command,
      false,
      { KSTREAM_CONNECTOR: connector },
      log,
    );
    const ended = command.ended.then((ending) => {
      throw new Error(`the command ${describeEnding(ending)}`);
    });
    try {
      await bounded(Promise.race([command.write(bytes), ended]), command, this.context);
    } catch (error) {
      this.#command = null;
      await command.stop(this.context.clock);
      const why = error instanceof Error ? error.message : String(error);
      throw new RetriableError(`the command does not take records: ${why}`);
    }
  }

  async close(): Promise<void> {
    const command = this.#command;
    if (command === null) return;
    await command.endInput();
    const { clock, config } = this.context;
    const ended = new AbortController();
    const late = clock.sleep(config["timeout.ms"], ended.signal);
    await Promise.race([command.ended, late]);
    ended.abort();
    await command.stop(clock);
  }
}
