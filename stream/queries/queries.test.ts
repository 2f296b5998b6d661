import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { partitionOfKey } from "../../core/murmur2.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { AppWorld } from "../runtime/app-world.test-helper.ts";
import type { StreamsApp } from "../runtime/streams-app.ts";
import { string } from "../serdes/basic-serdes.ts";
import { tumbling } from "../windows/time-windows.ts";
import { HostLink } from "./ask-host.ts";
import { queryApp } from "./query-app.ts";
import { StoreQueries } from "./store-queries.ts";

const TOPICS = { lines: 4, names: 1, prices: 2 };

function topology() {
  const builder = new TopologyBuilder();
  const lines = builder.stream("lines", { key: string(), value: string() });
  lines.groupByKey().count("counts");
  lines.groupByKey().windowedBy(tumbling({ sizeMs: 1000, graceMs: 0 })).count("per-second", {
    retentionMs: 100_000,
  });
  builder.globalTable("names", "names", { key: string(), value: string() });
  builder.table("prices", "prices", {
    key: string(),
    value: string(),
    historyRetentionMs: 1_000_000,
  });
  return builder.topology;
}

/** Members whose queries are asked by calls in place of connections. */
class Members {
  readonly world: AppWorld;
  readonly #servers = new Map<string, ReturnType<typeof queryApp>>();
  /** Addresses that nobody answers at. */
  readonly cut = new Set<string>();

  constructor(seed: number) {
    this.world = new AppWorld(seed, TOPICS);
  }

  async start(endpoint: string, config = {}): Promise<StreamsApp> {
    const { app, io } = this.world.app(topology(), { ...SOON, ...config }, { endpoint });
    const link = new HostLink(io.clock, async (url, init) => {
      const { host } = new URL(url);
      const server = this.#servers.get(host);
      if (server === undefined || this.cut.has(host)) throw new Error("connection refused");
      return await server.fetch(new Request(url, { ...init, headers: { ...init.headers, host } }));
    }, null);
    const queries = new StoreQueries(app, link, io.clock);
    this.#servers.set(
      endpoint,
      queryApp({ queries, logger: silentLogger, ownName: "127.0.0.1", token: null }),
    );
    await app.start();
    return app;
  }

  async get(endpoint: string, path: string) {
    const request = new Request(`http://${endpoint}${path}`, { headers: { host: endpoint } });
    const response = await this.#servers.get(endpoint)!.fetch(request);
    return { status: response.status, body: JSON.parse(await response.text()) };
  }

  /** Until an answer is as wanted. */
  async until(
    endpoint: string,
    path: string,
    isRight: (answer: Awaited<ReturnType<Members["get"]>>) => boolean,
  ) {
    for (let round = 0;; round++) {
      const answer = await this.get(endpoint, path);
      if (isRight(answer)) return answer;
      if (round > 300) throw new Error(`${path}: ${JSON.stringify(answer)}`);
      await sleep(this.world.world.clock, 200);
    }
  }
}

/** Copies that are as far as the task are seen to be so at once. */
const SOON = { "probing.rebalance.interval.ms": 60_000 };
const [A, B] = ["127.0.0.1:1", "127.0.0.1:2"] as const;
const KEYS = Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, "0")}`);

/** In the order of time: nothing of them is late. */
function lines(times = 1) {
  return Array.from(
    { length: times },
    (_, n) => KEYS.map((key, i) => ({ key, value: "x", timestampMs: 1000 * n + i })),
  ).flat();
}

/** Both members with tasks of their own, all lines counted. */
async function both(members: Members, config = {}): Promise<[StreamsApp, StreamsApp]> {
  const first = await members.start(A, config);
  const second = await members.start(B, config);
  const { clock } = members.world.world;
  const isShared = (...running: (readonly string[])[]) =>
    running.flat().length === 6 && running.every((ids) => ids.some((id) => id.startsWith("0_")));
  for (let i = 0; !isShared(first.status().running, second.status().running); i++) {
    if (i > 2000) throw new Error(JSON.stringify([first.status(), second.status()]));
    await sleep(clock, 200);
  }
  return [first, second];
}

test("whichever member is asked, a key is answered by the one that has it", () => {
  const members = new Members(1);
  members.world.run(async () => {
    await members.world.write("lines", lines(2));
    const apps = await both(members);
    for (const key of KEYS) {
      for (const endpoint of [A, B]) {
        const answer = await members.until(
          endpoint,
          `/stores/counts/${key}`,
          ({ body }) => body.value === 2,
        );
        expect(answer.status).toBe(200);
        expect(answer.body).toEqual({ key, value: 2, timestamp: expect.any(Number) });
      }
    }
    const missing = await members.get(A, "/stores/counts/nobody");
    expect(missing.status).toBe(404);
    const { body } = await members.get(A, "/stores");
    expect(body.members.map(({ endpoint }: { endpoint: string }) => endpoint).sort()).toEqual([
      A,
      B,
    ]);
    const counts = body.stores.find(({ name }: { name: string }) => name === "counts");
    expect(counts).toMatchObject({ kind: "key-value", keys: "string", values: "long" });
    expect(counts.here.running.length).toBeGreaterThan(0);
    for (const app of apps) await app.close();
  });
});

test("pages go through the keys of all members in one order, each once", () => {
  const members = new Members(2);
  members.world.run(async () => {
    await members.world.write("lines", lines());
    const apps = await both(members);
    await members.until(A, "/stores/counts?limit=1000", ({ body }) => {
      return body.entries?.length === KEYS.length;
    });
    for (const endpoint of [A, B]) {
      const found: string[] = [];
      for (let at: string | null = ""; at !== null;) {
        const cursor: string = at === "" ? "" : `&at=${at}`;
        const { body } = await members.get(endpoint, `/stores/counts?limit=3${cursor}`);
        expect(body.entries.length).toBeLessThanOrEqual(3);
        found.push(...body.entries.map(({ key }: { key: string }) => key));
        at = body.next;
      }
      expect(found).toEqual(KEYS);
    }
    const some = await members.get(B, "/stores/counts?from=k05&to=k07");
    expect(some.body.entries.map(({ key }: { key: string }) => key)).toEqual(["k05", "k06", "k07"]);
    expect(some.body.next).toBeNull();
    for (const app of apps) await app.close();
  });
});

test("windows of a key between times, and of keys", () => {
  const members = new Members(3);
  members.world.run(async () => {
    await members.world.write("lines", lines(5));
    const apps = await both(members);
    const path = "/stores/per-second/k03";
    const all = await members.until(A, path, ({ body }) => body.entries?.length === 5);
    expect(all.body.entries[1]).toEqual({
      key: "k03",
      value: 1,
      timestamp: 1003,
      window: { start: 1000, end: 2000 },
    });
    for (const endpoint of [A, B]) {
      const some = await members.get(endpoint, `${path}?from=1000&to=1970-01-01T00:00:02Z`);
      const starts = some.body.entries.map((each: { window: { start: number } }) =>
        each.window.start
      );
      expect(starts).toEqual([1000, 2000]);
      const first = await members.get(endpoint, `${path}?limit=2`);
      const rest = await members.get(endpoint, `${path}?at=${first.body.next}`);
      expect([...first.body.entries, ...rest.body.entries]).toEqual(all.body.entries);
    }
    const keys = "/stores/per-second?from=k01&to=k02&fromTime=1000&toTime=2000";
    const two = await members.until(B, keys, ({ body }) => body.entries?.length === 4);
    expect(two.body.entries.map(({ key }: { key: string }) => key)).toEqual([
      ...["k01", "k01", "k02", "k02"],
    ]);
    for (const app of apps) await app.close();
  });
});

test("when the owner is away a standby answers where that will do, and says how old it is", () => {
  const members = new Members(4);
  members.world.run(async () => {
    await members.world.write("lines", lines());
    const apps = await both(members, { "num.standby.replicas": 1 });
    const { body } = await members.get(A, "/stores");
    const ofB = body.members.find(({ endpoint }: { endpoint: string }) => endpoint === B);
    const key = KEYS.find((each) => {
      return ofB.active.includes(`0_${partitionOfKey(4, Buffer.from(each))}`);
    })!;
    await members.until(A, `/stores/counts/${key}`, ({ body }) => body.value === 1);
    members.cut.add(B);
    const refused = await members.get(A, `/stores/counts/${key}`);
    expect(refused.status).toBe(503);
    expect(refused.body.error).toContain(B);
    const path = `/stores/counts/${key}?stale=ok&maxLag=100`;
    const stale = await members.until(A, path, ({ status }) => status === 200);
    expect(stale.body).toMatchObject({ key, value: 1, stale: true, lag: expect.any(Number) });
    const page = await members.until(A, "/stores/counts?stale=ok", ({ body }) => {
      return body.entries?.length === KEYS.length;
    });
    expect(page.body).toMatchObject({ stale: true, lag: expect.any(Number) });
    expect((await members.get(A, "/stores/counts")).status).toBe(503);
    members.cut.clear();
    expect((await members.get(A, path)).body.stale).toBeUndefined();
    for (const app of apps) await app.close();
  });
});

test("global tables are every member's; versions are asked for by time", () => {
  const members = new Members(5);
  members.world.run(async () => {
    await members.world.write("names", [{ key: "a/b %", value: "Anna" }]);
    await members.world.write("prices", [
      { key: "p", value: "1", timestampMs: 1000 },
      { key: "p", value: "2", timestampMs: 2000 },
    ]);
    const apps = await both(members);
    for (const endpoint of [A, B]) {
      const name = await members.get(endpoint, `/stores/names/${encodeURIComponent("a/b %")}`);
      expect(name.body).toMatchObject({ key: "a/b %", value: "Anna" });
      expect((await members.get(endpoint, "/stores/names")).body.entries).toHaveLength(1);
      const now = await members.until(
        endpoint,
        "/stores/prices/p",
        ({ body }) => body.value === "2",
      );
      expect(now.body).toEqual({ key: "p", value: "2", timestamp: 2000 });
      const before = await members.get(endpoint, "/stores/prices/p?asof=1500");
      expect(before.body).toEqual({ key: "p", value: "1", timestamp: 1000, validTo: 2000 });
    }
    for (const app of apps) await app.close();
  });
});

test("while a task is restored it is told how far that is, unless old answers will do", () => {
  const members = new Members(7);
  members.world.run(async () => {
    const app = await members.start(A);
    const key = "/stores/counts/k01";
    await members.until(A, key, ({ status }) => status === 404);
    const task = `0_${partitionOfKey(4, Buffer.from("k01"))}`;
    const { store } = app.storeOf(task, "counts")!;
    // As between its opening and its first turn.
    app.storeOf = () => ({ state: "restoring", store, lag: 7 });
    const waiting = await members.get(A, key);
    expect(waiting.status).toBe(503);
    expect(waiting.body).toMatchObject({ task, restoring: [] });
    expect((await members.get(A, "/stores/counts")).status).toBe(503);
    expect((await members.get(A, `${key}?stale=ok`)).body).toMatchObject({ stale: true, lag: 7 });
    expect((await members.get(A, `${key}?stale=ok&maxLag=6`)).status).toBe(503);
    await app.close();
  });
});

test("what is asked for wrongly is refused in a line", () => {
  const members = new Members(6);
  members.world.run(async () => {
    const app = await members.start(A);
    for (
      const [path, status, part] of [
        ["/stores/none", 404, "no store"],
        ["/other", 404, "/stores"],
        ["/stores/counts?limit=0", 400, "limit"],
        ["/stores/counts?limt=1", 400, "limt"],
        ["/stores/counts?at=%25", 400, "at"],
        ["/stores/counts?partition=4", 400, "0 to 3"],
        ["/stores/counts/k?asof=1", 400, "versions"],
        ["/stores/counts/k?stale=yes", 400, "stale"],
        ["/stores/counts/k?maxLag=1", 400, "stale=ok"],
        ["/stores/per-second/k?from=yesterday", 400, "time"],
        ["/stores/prices", 400, "single keys"],
      ] as const
    ) {
      const answer = await members.until(A, path, (each) => each.status !== 503);
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.body.error).toContain(part);
    }
    await app.close();
  });
});

test("a token is asked for, and without one only this host's programs are let in", async () => {
  const queries = { list: () => "[]" } as unknown as StoreQueries;
  const open = (token: string | null) =>
    queryApp({ queries, logger: silentLogger, ownName: "127.0.0.1", token });
  const ask = async (token: string | null, headers: Record<string, string>, method = "GET") => {
    const url = "http://127.0.0.1/stores";
    const request = new Request(url, { method, headers: { host: "127.0.0.1", ...headers } });
    return (await open(token).fetch(request)).status;
  };
  expect(await ask("secret", {})).toBe(401);
  expect(await ask("secret", { authorization: "Bearer other" })).toBe(401);
  expect(await ask("secret", { authorization: "Bearer secret" })).toBe(200);
  expect(await ask(null, {})).toBe(200);
  expect(await ask(null, {}, "POST")).toBe(405);
  expect(await ask(null, { host: "evil.example" })).toBe(421);
  expect(await ask(null, { origin: "http://evil.example" })).toBe(403);
});
