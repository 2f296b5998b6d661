/** Records into files: one that grows, or a folder of files that are whole when they appear. */
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import {
  checkFormat,
  newWriter,
  rollingFields,
  RollingFiles,
  rollingSettings,
} from "../../formats/index.ts";
import type { RollingConfig } from "../../formats/index.ts";
import { defineSink, string } from "../../index.ts";
import type { SinkContext, SinkTask } from "../../index.ts";
import { appendTo } from "./one-file.ts";
import { JournaledFolder } from "./journal.ts";

export default defineSink({
  name: "file-sink",
  aliases: ["FileStreamSink", "org.apache.kafka.connect.file.FileStreamSinkConnector"],
  version: "1.0.0",
  doc: "Writes records to files. With file, a line each at the end of one file, as Kafka's " +
    "FileStreamSink does: at least once. With directory, to files that appear when they are whole, " +
    "closed by size, count or time, in folders by topic, time or field: exactly once, as a journal " +
    "in DIRECTORY/.kstream has the offsets. (Remove it to write from other offsets again.)",
  delivery: "exactly-once",
  example: {
    topics: "orders",
    directory: "/var/lib/exports",
    "path.format": "{topic}/{yyyy}/{MM}/{dd}",
    compression: "zstd",
    "rotate.schedule.interval.ms": "60000",
  },
  config: {
    file: string().optional().importance("HIGH").doc(
      "The file that lines are added to. Texts are written as they are, other values as JSON.",
    ).example("/var/lib/exports/orders.txt"),
    directory: string().optional().importance("HIGH").doc(
      "The folder that files appear in. It must not be given together with file.",
    ).example("/var/lib/exports"),
    ...rollingFields,
  },
  check(config) {
    const problems = checkFormat(config);
    if ((config.file === null) === (config.directory === null)) {
      return [...problems, {
        field: "file",
        message: 'either "file" or "directory" must be given, and not both',
      }];
    }
    return problems;
  },
  async probe({ file, directory }) {
    const folder = directory ?? dirname(file ?? ".");
    if (directory !== null) await mkdir(directory, { recursive: true });
    await access(folder, constants.W_OK);
  },
  open(context) {
    const { file, directory } = context.config;
    return directory !== null
      ? manyFiles(directory, context)
      : appendTo(file ?? "", linesOf(context.config), context.config.content, context);
  },
});

/** Of one file only lines can go on after a restart; `format` has its default there: text as it is. */
function linesOf(config: RollingConfig) {
  return newWriter({ ...config, format: "lines", compression: "none" });
}

function manyFiles(directory: string, context: SinkContext<RollingConfig>): SinkTask {
  const folder = new JournaledFolder(directory, context.connector);
  const settings = rollingSettings(context.config, { closesWhenLeaving: true });
  const files = new RollingFiles(settings, folder.staging, folder, context);
  return {
    async assigned(partitions) {
      const positions = [];
      for (const of of partitions) {
        const offset = await folder.recover(of);
        if (offset !== null) positions.push({ ...of, offset });
      }
      return positions;
    },
    write: (records) => files.write(records),
    flush: (taken, leaving) => files.flush(taken, leaving),
    revoked: (partitions) => files.drop(partitions),
  };
}
