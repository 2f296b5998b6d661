/** Files and folders, which neither go away nor are slow. */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { itemOf, textOf } from "../system.ts";
import type { Item, SystemKind } from "../system.ts";

const ALWAYS_THERE = {
  outage: null,
  setSlow: null,
  close: () => Promise.resolve(),
};
const nothing = () => Promise.resolve(null);

/** Items of a text of lines; those that are none are left out. */
export function itemsOf(lines: string): Item[] {
  return lines.split("\n").flatMap((line) => itemOf(line) ?? []);
}

export const FILE_SOURCE_TAIL: SystemKind = {
  name: "file-source",
  need: nothing,
  open({ folder }) {
    const file = join(folder, "grows.jsonl");
    const add = (lines: readonly string[]) => {
      appendFileSync(file, `${lines.join("\n")}\n`);
      return Promise.resolve();
    };
    return Promise.resolve({
      ...ALWAYS_THERE,
      kind: "source",
      claim: "exactly-once",
      config: { "connector.class": "file-source", file, format: "jsonl", "bad.rows": "skip" },
      otherConfig: { "batch.size": "7" },
      feed: (items) => add(items.map(textOf)),
      feedBad: () => add(["{no JSON"]),
      itemOf,
    });
  },
};

export const FILE_SOURCE_SPOOL: SystemKind = {
  name: "file-source-spool",
  need: nothing,
  open({ folder }) {
    let files = 0;
    // As a user should: whole under another name, then renamed.
    const put = (lines: readonly string[]) => {
      const name = `${String(files++).padStart(8, "0")}.jsonl`;
      writeFileSync(join(folder, `.${name}`), `${lines.join("\n")}\n`);
      renameSync(join(folder, `.${name}`), join(folder, name));
      return Promise.resolve();
    };
    return Promise.resolve({
      ...ALWAYS_THERE,
      kind: "source",
      claim: "exactly-once",
      config: {
        "connector.class": "file-source",
        mode: "spool",
        file: join(folder, "*.jsonl"),
        format: "jsonl",
        "bad.rows": "skip",
        "settle.ms": "0",
        "when.done": "delete",
      },
      otherConfig: { "batch.size": "7" },
      feed: (items) => put(items.map(textOf)),
      feedBad: () => put(["{no JSON"]),
      itemOf,
    });
  },
};

export const FILE_SINK_FOLDER: SystemKind = {
  name: "file-sink",
  need: nothing,
  open({ folder }) {
    return Promise.resolve({
      ...ALWAYS_THERE,
      kind: "sink",
      claim: "exactly-once",
      config: {
        "connector.class": "file-sink",
        directory: folder,
        "flush.size": "100",
        "rotate.schedule.interval.ms": "1000",
      },
      otherConfig: { "flush.size": "33" },
      read: () => {
        const names = [...new Bun.Glob("**/*.jsonl").scanSync({ cwd: folder })];
        const inOrder = names.toSorted((a, b) => basename(a) < basename(b) ? -1 : 1);
        const texts = inOrder.map((path) => readFileSync(join(folder, path), "utf8"));
        return Promise.resolve(texts.flatMap(itemsOf));
      },
    });
  },
};

export const FILE_SINK_ONE: SystemKind = {
  name: "file-sink-one",
  need: nothing,
  open({ folder }) {
    const file = join(folder, "out.txt");
    return Promise.resolve({
      ...ALWAYS_THERE,
      kind: "sink",
      claim: "at-least-once",
      config: { "connector.class": "file-sink", file },
      otherConfig: { "consumer.override.max.poll.records": "7" },
      read: () => Promise.resolve(existsSync(file) ? itemsOf(readFileSync(file, "utf8")) : []),
    });
  },
};
