/** A store of objects. */
import { join } from "node:path";
import { mkdirSync } from "node:fs";
import { needVersitygw, S3Server } from "../../servers/versitygw.ts";
import { textOf, valueItems } from "../system.ts";
import type { Place, SystemKind } from "../system.ts";
import { itemsOf } from "./files.ts";

/** Calls that were under way when it went fail when it is back, too. */
const FAILURES_MAX = 20;

async function store({ folder }: Place) {
  const server = await S3Server.start();
  const staging = join(folder, "staging");
  mkdirSync(staging, { recursive: true });
  let isUp = true;
  const outage = {
    down: async () => {
      isUp = false;
      await server.down();
    },
    up: async () => {
      await server.up();
      isUp = true;
    },
  };
  /** Again until it works: who feeds or reads waits for the store. */
  const patiently = async <T>(body: (client: Bun.S3Client) => Promise<T>): Promise<T> => {
    for (let failures = 0;;) {
      try {
        if (isUp) return await body(server.client());
      } catch (error) {
        if (isUp && failures++ > FAILURES_MAX) throw error;
      }
      await Bun.sleep(50);
    }
  };
  return {
    config: { ...server.config, "staging.directory": staging },
    patiently,
    parts: {
      outage,
      setSlow: (isSlow: boolean) => isSlow ? server.freeze() : server.thaw(),
      close: () => server.stop(),
    },
  };
}

export const S3_SOURCE: SystemKind = {
  name: "s3-source",
  need: needVersitygw,
  async open(place) {
    const { config, patiently, parts } = await store(place);
    let objects = 0;
    const put = async (lines: readonly string[]) => {
      const key = `in/${String(objects++).padStart(8, "0")}.jsonl`;
      await patiently((client) => client.write(key, `${lines.join("\n")}\n`));
    };
    return {
      ...parts,
      kind: "source",
      claim: "exactly-once",
      config: {
        "connector.class": "s3-source",
        ...config,
        prefix: "in/",
        "bad.rows": "skip",
        "poll.interval.ms": "100",
        "when.done": "delete",
      },
      otherConfig: { "batch.size": "7" },
      feed: (items) => put(items.map(textOf)),
      feedBad: () => put(["{no JSON"]),
      itemsOf: valueItems(),
    };
  },
};

export const S3_SINK: SystemKind = {
  name: "s3-sink",
  need: needVersitygw,
  async open(place) {
    const { config, patiently, parts } = await store(place);
    const keys = async (client: Bun.S3Client) => {
      const found: string[] = [];
      for (let after = "";;) {
        const { contents = [], isTruncated } = await client.list({
          prefix: "topics/",
          startAfter: after,
        });
        found.push(...contents.map(({ key }) => key));
        if (isTruncated !== true) return found.toSorted();
        after = found.at(-1)!;
      }
    };
    const texts = new Map<string, string>();
    return {
      ...parts,
      kind: "sink",
      claim: "exactly-once",
      config: { "connector.class": "s3-sink", ...config, "flush.size": "20" },
      otherConfig: { "buffer.bytes": "1048576" },
      // Records alone close objects.
      fillers: 20,
      read: () =>
        patiently(async (client) => {
          const names = await keys(client);
          for (const name of names) {
            if (!texts.has(name)) texts.set(name, await client.file(name).text());
          }
          return names.flatMap((name) => itemsOf(texts.get(name)!));
        }),
    };
  },
};
