/** Redis: a stream that is read, a list that is written. */
import { needRedis, RedisServer } from "../../servers/redis.ts";
import { textOf, valueItems } from "../system.ts";
import type { SystemKind } from "../system.ts";
import { itemsOf } from "./files.ts";

/** Entries with ids of their own, so that those that are there already are told by Redis. */
const ADD = `for i = 3, #ARGV do
  redis.pcall("XADD", KEYS[1], ARGV[1] .. "-" .. (i - 2), ARGV[2], ARGV[i])
end
return "done"`;

async function start() {
  const server = await RedisServer.start();
  return {
    server,
    parts: {
      outage: { down: () => server.down(), up: () => server.up() },
      setSlow: (isSlow: boolean) => isSlow ? server.freeze() : server.thaw(),
      close: () => server.stop(),
    },
  };
}

export const REDIS_SOURCE: SystemKind = {
  name: "redis-source",
  need: needRedis,
  async open() {
    const { server, parts } = await start();
    let portions = 0;
    return {
      ...parts,
      kind: "source",
      claim: "exactly-once",
      config: {
        "connector.class": "redis-source",
        ...server.config,
        "redis.stream.name": "items",
        "value.field": "item",
        "value.converter": "string",
      },
      otherConfig: { "batch.size": "7" },
      feed: async (items) => {
        const id = String(++portions);
        const command = ["EVAL", ADD, "1", "items", id, "item", ...items.map(textOf)];
        while ((await server.cli(...command))[0] !== "done") await Bun.sleep(50);
      },
      feedBad: null,
      itemsOf: valueItems(),
    };
  },
};

export const REDIS_SINK: SystemKind = {
  name: "redis-sink",
  need: needRedis,
  async open() {
    const { server, parts } = await start();
    return {
      ...parts,
      kind: "sink",
      claim: "exactly-once",
      config: {
        "connector.class": "redis-sink",
        ...server.config,
        "redis.type": "LIST",
        "redis.key": "items",
      },
      otherConfig: { "batch.size": "7" },
      read: async () => itemsOf((await server.cli("LRANGE", "items", "0", "-1")).join("\n")),
    };
  },
};
