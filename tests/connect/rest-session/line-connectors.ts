/** A file source and sink that are as small as Kafka's `FileStream` ones, under their class names. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { defineSink, defineSource, int, string } from "../../../connect/index.ts";
import { Plugins } from "../../../connect/plugins/plugins.ts";

export const SOURCE_CLASS = "org.apache.kafka.connect.file.FileStreamSourceConnector";
export const SINK_CLASS = "org.apache.kafka.connect.file.FileStreamSinkConnector";

const source = defineSource({
  name: "line-source",
  version: "4.3.1",
  doc: "Lines of a file.",
  config: {
    file: string().doc("The file."),
    topic: string().importance("HIGH").doc("Where to."),
    "batch.size": int({ min: 1 }).default(2000).importance("LOW").doc("Lines at once."),
    "poll.ms": int({ min: 1 }).default(50).importance("LOW").doc("How often the file is read."),
  },
  async *read({ config, offsets, clock, signal }) {
    const partition = { filename: config.file };
    let position = Number((await offsets.get(partition))?.["position"] ?? 0);
    while (!signal.aborted) {
      const text = existsSync(config.file) ? readFileSync(config.file, "utf8") : "";
      const lines = text.slice(position).split("\n").slice(0, -1);
      const batch = lines.map((value) => {
        position += value.length + 1;
        return {
          topic: config.topic,
          value,
          sourcePartition: partition,
          sourceOffset: { position },
        };
      });
      if (batch.length > 0) yield batch;
      else await clock.sleep(config["poll.ms"], signal);
    }
  },
});

const sink = defineSink({
  name: "line-sink",
  version: "4.3.1",
  doc: "Lines into a file.",
  config: { file: string().doc("The file.") },
  open: ({ config }) => {
    if (!existsSync(dirname(config.file))) throw new Error(`no folder for ${config.file}`);
    return {
      write: (records) => {
        for (const { value } of records) appendFileSync(config.file, `${value}\n`);
        return Promise.resolve();
      },
    };
  },
});

export const LINE_PLUGINS = new Plugins([
  {
    name: sink.name,
    kind: "sink",
    aliases: [SINK_CLASS, "FileStreamSinkConnector"],
    load: () => Promise.resolve(sink),
  },
  {
    name: source.name,
    kind: "source",
    aliases: [SOURCE_CLASS, "FileStreamSourceConnector"],
    load: () => Promise.resolve(source),
  },
]);
