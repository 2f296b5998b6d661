/** A command that appends what it is given to a file. `exec-source` claims nothing and is not tried. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SystemKind } from "../system.ts";
import { itemsOf } from "./files.ts";

export const EXEC_SINK: SystemKind = {
  name: "exec-sink",
  need: () => Promise.resolve(null),
  open({ folder }) {
    const file = join(folder, "out.txt");
    return Promise.resolve({
      kind: "sink",
      claim: "at-least-once",
      config: { "connector.class": "exec-sink", command: `cat >> ${file}` },
      otherConfig: { "consumer.override.max.poll.records": "7" },
      outage: null,
      setSlow: null,
      read: () => Promise.resolve(existsSync(file) ? itemsOf(readFileSync(file, "utf8")) : []),
      close: () => Promise.resolve(),
    });
  },
};
