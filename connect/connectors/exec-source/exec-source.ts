/** The lines that a command writes. */
import {
  Command,
  describeEnding,
  lineRecords,
  streamed,
  streamFields,
} from "../../formats/index.ts";
import { choice, defineSource, long, string } from "../../index.ts";

const PAUSE_MS_MIN = 1000;

export default defineSource({
  name: "exec-source",
  version: "1.0.0",
  needs: "exec",
  delivery: "at-most-once",
  doc:
    "Runs a command of the shell; each line that it writes is a record. What it writes on standard " +
    "error goes to the log. Nothing is remembered: what it has written and was not stored yet is lost " +
    "when the worker dies.",
  example: {
    command: "vmstat -n 5",
    topic: "vmstat",
  },
  config: {
    command: string().importance("HIGH").doc("What the shell runs.").example("vmstat -n 5"),
    topic: string().importance("HIGH").doc("The topic that records are written to."),
    "when.ended": choice("fail", "restart", "done").default("fail").doc(
      "What becomes of it when the command ends by itself: the task fails, unless it ended with 0; the " +
        "command is run again; or that was all.",
    ),
    "interval.ms": long({ min: PAUSE_MS_MIN }).default(PAUSE_MS_MIN).doc(
      "With when.ended=restart, the time from one start to the next at least.",
    ),
    ...streamFields,
  },
  async *read({ config, clock, log, signal, connector }) {
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs();
      const command = new Command(config.command, true, { KSTREAM_CONNECTOR: connector }, log);
      const stop = () => void command.stop(clock);
      signal.addEventListener("abort", stop, { once: true });
      await command.endInput();
      const output = streamed(command.output, () => {});
      try {
        yield* lineRecords(output.read, config.topic, config, log);
        const ending = await command.ended;
        if (signal.aborted) return;
        const isWell = "code" in ending && ending.code === 0;
        const how = `the command ${describeEnding(ending)}`;
        if (config["when.ended"] === "fail" && !isWell) {
          throw new Error(command.lastWords === "" ? how : `${how}: ${command.lastWords}`);
        }
        log.info(how);
        if (config["when.ended"] !== "restart") return;
      } catch (error) {
        // Its output was cut off because it is to end.
        if (!signal.aborted) throw error;
      } finally {
        signal.removeEventListener("abort", stop);
        await command.stop(clock);
        await output.close();
      }
      await clock.sleep(startedMs + config["interval.ms"] - clock.monotonicMs(), signal);
    }
  },
});
