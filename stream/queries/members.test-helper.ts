/** An application of several members, whose queries are asked by calls in place of connections. */
import { sleep } from "../../core/io.ts";
import { silentLogger } from "../../core/logger.ts";
import { TopologyBuilder } from "../dsl/builder.ts";
import { AppWorld } from "../runtime/app-world.test-helper.ts";
import type { StreamsApp } from "../runtime/streams-app.ts";
import { untilTimeLimit } from "../dsl/suppression.ts";
import { string } from "../serdes/basic-serdes.ts";
import { sessions } from "../windows/session-windows.ts";
import { tumbling } from "../windows/time-windows.ts";
import { HostLink } from "./ask-host.ts";
import { LiveView } from "./live-view.ts";
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
  lines.groupByKey().windowedBy(sessions({ gapMs: 500, graceMs: 0 })).count("visits", {
    retentionMs: 100_000,
  });
  lines.groupByKey().count("latest").suppress("held", untilTimeLimit({ ms: 1000 }));
  builder.globalTable("names", "names", { key: string(), value: string() });
  builder.table("prices", "prices", {
    key: string(),
    value: string(),
    historyRetentionMs: 1_000_000,
  });
  return builder.topology;
}

/** See the head of the file. */
export class Members {
  readonly world: AppWorld;
  readonly #servers = new Map<string, ReturnType<typeof queryApp>>();
  /** Addresses that nobody answers at. */
  readonly cut = new Set<string>();

  /** `token`: what all members ask for; null: nothing. */
  constructor(seed: number, private readonly token: string | null = null) {
    this.world = new AppWorld(seed, TOPICS);
  }

  async start(endpoint: string, config = {}): Promise<StreamsApp> {
    const { app, io } = this.world.app(topology(), { ...SOON, ...config }, { endpoint });
    const link = new HostLink(io.clock, async (url, init) => {
      const { host } = new URL(url);
      const server = this.#servers.get(host);
      if (server === undefined || this.cut.has(host)) throw new Error("connection refused");
      return await server.fetch(new Request(url, { ...init, headers: { ...init.headers, host } }));
    }, { token: this.token, isTls: false });
    const queries = new StoreQueries(app, link, io.clock);
    this.#servers.set(
      endpoint,
      queryApp({
        queries,
        live: new LiveView(app, link),
        logger: silentLogger,
        ownName: "127.0.0.1",
        token: this.token,
      }),
    );
    await app.start();
    return app;
  }

  async get(endpoint: string, path: string) {
    const headers = {
      host: endpoint,
      ...(this.token !== null && { authorization: `Bearer ${this.token}` }),
    };
    const request = new Request(`http://${endpoint}${path}`, { headers });
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
export const [A, B] = ["127.0.0.1:1", "127.0.0.1:2"] as const;
export const KEYS = Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, "0")}`);

/** In the order of time: nothing of them is late. */
export function lines(times = 1) {
  return Array.from(
    { length: times },
    (_, n) => KEYS.map((key, i) => ({ key, value: "x", timestampMs: 1000 * n + i })),
  ).flat();
}

/** Both members with tasks of their own, all lines counted. */
export async function both(members: Members, config = {}): Promise<[StreamsApp, StreamsApp]> {
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
