import { expect, test } from "bun:test";
import { sleep } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { partitionOfKey } from "../../core/murmur2.ts";
import type { LiveView } from "./live-view.ts";
import { A, B, both, KEYS, lines, Members } from "./members.test-helper.ts";
import { queryApp } from "./query-app.ts";
import type { StoreQueries } from "./store-queries.ts";

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

test("sessions of a key, and of keys, are those that overlap with a time", () => {
  const members = new Members(8);
  members.world.run(async () => {
    // Visits of three records each, from 0, 10,000 and 20,000 on.
    const times = [0, 200, 400, 10_000, 10_200, 10_400, 20_000, 20_200, 20_400];
    await members.world.write(
      "lines",
      times.flatMap((timestampMs) => KEYS.map((key) => ({ key, value: "x", timestampMs }))),
    );
    const apps = await both(members);
    for (const endpoint of [A, B]) {
      const all = await members.until(endpoint, "/stores/visits/k03", ({ body }) => {
        return body.entries?.length === 3 &&
          body.entries.every(({ value }: { value: number }) => value === 3);
      });
      expect(all.body.entries[1]).toEqual({
        key: "k03",
        value: 3,
        window: { start: 10_000, end: 10_400 },
      });
      // In the middle of the second one, to the first moment of the third.
      const { body } = await members.get(endpoint, "/stores/visits/k03?from=10300&to=20000");
      expect(body.entries.map(({ window }: { window: { start: number } }) => window.start))
        .toEqual([10_000, 20_000]);
      const one = await members.get(endpoint, "/stores/visits/k03?from=401&to=9999");
      expect(one.body).toMatchObject({ entries: [], next: null });
      const some = "/stores/visits?from=k01&to=k02&fromTime=10400&toTime=10400";
      const two = await members.until(endpoint, some, ({ body }) => body.entries?.length === 2);
      expect(two.body.entries.map(({ key }: { key: string }) => key)).toEqual(["k01", "k02"]);
    }
    for (const app of apps) await app.close();
  });
});

test("members pass the token on to one another", () => {
  const members = new Members(9, "the token of all members");
  members.world.run(async () => {
    await members.world.write("lines", lines());
    const apps = await both(members);
    for (const endpoint of [A, B]) {
      for (const key of KEYS) {
        const path = `/stores/counts/${key}`;
        const { body } = await members.until(endpoint, path, ({ body }) => body.value === 1);
        expect(body).toMatchObject({ key, value: 1 });
      }
      const page = await members.get(endpoint, "/stores/counts");
      expect(page.body.entries).toHaveLength(KEYS.length);
      expect((await members.get(endpoint, "/topology")).body.missing).toEqual([]);
    }
    for (const app of apps) await app.close();
  });
});

test("a member that comes back answers 503 as long as it restores, and then what it had", () => {
  const members = new Members(10);
  members.world.run(async () => {
    const first = await members.start(A, { "statestore.cache.max.bytes": 0 });
    await members.world.write("lines", lines(200));
    await members.world.write("prices", lines(100));
    const name = KEYS.find((key) => partitionOfKey(4, Buffer.from(key)) === 0)!;
    const path = `/stores/counts/${name}`;
    await members.until(A, path, ({ body }) => body.value === 200);
    await first.close();
    const again = await members.start(B, { "statestore.cache.max.bytes": 0 });
    let restoring = 0;
    let others = 0;
    for (let round = 0;; round++) {
      const { status, body } = await members.get(B, path);
      if (status === 200) {
        expect(body).toMatchObject({ value: 200 });
        break;
      }
      expect(status).toBe(503);
      if (body.restoring?.length > 0) {
        restoring++;
        // Of this task's stores alone, though others are restored as well.
        for (const each of body.restoring) {
          expect(each.topic).toMatch(/^app-(counts|per-second|visits|latest|held)-changelog$/);
          expect(each).toMatchObject({ partition: 0 });
        }
        expect(body.error).toMatch(/task 0_0 is being restored: [1-9]\d* records are left/);
        const stale = await members.get(B, `${path}?stale=ok`);
        expect(stale.body).toMatchObject({ stale: true });
        const { body: { members: [told] } } = await members.get(B, "/topology");
        const isOther = ({ topic }: { topic: string }) => topic === "app-prices-changelog";
        if (told.restoring.some(isOther)) others++;
      }
      expect(round).toBeLessThan(100_000);
      await sleep(members.world.world.clock, 1);
    }
    expect(restoring).toBeGreaterThan(0);
    expect(others).toBeGreaterThan(0);
    await again.close();
  });
});

test("members that say the same address are told of it", () => {
  const members = new Members(14);
  members.world.run(async () => {
    const apps = [await members.start(A), await members.start(A)];
    const answer = await members.until(A, "/stores/counts", ({ body }) => {
      return body.error?.includes("--queries-advertise") === true;
    });
    expect(answer.status).toBe(503);
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
      { key: "q", value: "7", timestampMs: 3000 },
      { key: "r", value: "8", timestampMs: 3000 },
      { key: "r", value: null, timestampMs: 4000 },
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
      const latest = await members.until(
        endpoint,
        "/stores/prices",
        ({ body }) => body.entries?.length === 2,
      );
      expect(latest.body.entries).toEqual([
        { key: "p", value: "2", timestamp: 2000 },
        { key: "q", value: "7", timestamp: 3000 },
      ]);
      const some = await members.get(endpoint, "/stores/prices?from=pa&limit=1");
      expect(some.body.entries).toEqual([{ key: "q", value: "7", timestamp: 3000 }]);
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
        ["/stores/prices?asof=1", 400, "single keys"],
        ["/stores/prices/p?from=1&to=2", 400, '"from" is of pages'],
        ["/stores/counts?fromTime=1", 400, "windows"],
        ["/stores/held/k", 400, "of kind suppression"],
        ["/stores/held", 400, "of kind suppression"],
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
  const live = {} as unknown as LiveView;
  const open = (token: string | null) =>
    queryApp({ queries, live, logger: silentLogger, ownName: "127.0.0.1", token });
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
