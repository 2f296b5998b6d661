/** Files and folders. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { freshDir } from "../../../harness/broker-process.ts";
import { run, runOk } from "../../../harness/process.ts";
import { itemOf, textOf, valueItems } from "../system.ts";
import type { Item, SinkSystem, SystemKind } from "../system.ts";

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
      itemsOf: valueItems(),
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
      itemsOf: valueItems(),
    });
  },
};

/** A sink of many files in the folder. */
function folderSink(folder: string): SinkSystem {
  return {
    ...ALWAYS_THERE,
    kind: "sink",
    claim: "exactly-once",
    config: {
      "connector.class": "file-sink",
      directory: folder,
      // Closed by the clock, and by count where much waits: what comes again is closed elsewhere.
      "flush.size": "300",
      "rotate.schedule.interval.ms": "1000",
    },
    otherConfig: { "rotate.schedule.interval.ms": "300" },
    read: () => {
      const names = [...new Bun.Glob("**/*.jsonl").scanSync({ cwd: folder })];
      const inOrder = names.toSorted((a, b) => basename(a) < basename(b) ? -1 : 1);
      const texts = inOrder.map((path) => readFileSync(join(folder, path), "utf8"));
      return Promise.resolve(texts.flatMap(itemsOf));
    },
  };
}

export const FILE_SINK_FOLDER: SystemKind = {
  name: "file-sink",
  need: nothing,
  open: ({ folder }) => Promise.resolve(folderSink(folder)),
};

const DISK = "size=64m";

/** The same, on a disk that fills up, which is how it goes away. */
export const FILE_SINK_FULL_DISK: SystemKind = {
  name: "file-sink-full-disk",
  async need() {
    const folder = freshDir("mount");
    const mounted = await run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", folder]);
    if (mounted.exitCode === 0) await runOk(["umount", folder]);
    rmSync(folder, { recursive: true });
    return mounted.exitCode === 0 ? null : `needs the right to mount: ${mounted.stderr.trim()}`;
  },
  async open({ folder }) {
    const disk = join(folder, "disk");
    const ballast = join(disk, "ballast");
    const files = join(disk, "files");
    mkdirSync(disk);
    await runOk(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", disk]);
    mkdirSync(files);
    return {
      ...folderSink(files),
      outage: {
        down: () => Promise.resolve(fill(ballast)),
        up: () => Promise.resolve(rmSync(ballast)),
      },
      // Who died may still be busy with a file for a moment.
      close: async () => void await runOk(["umount", "--lazy", disk]),
    };
  },
};

/** Pieces of half the size wherever there is no room for more, to the last page. */
function fill(ballast: string): void {
  for (let size = 32 * 1024 * 1024; size >= 4096;) {
    try {
      appendFileSync(ballast, new Uint8Array(size));
    } catch {
      size = Math.floor(size / 2);
    }
  }
}

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
