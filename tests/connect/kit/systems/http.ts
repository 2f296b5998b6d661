/** A service that is polled, one that posts, and one that is called. */
import { freePort } from "../../../harness/free-ports.ts";
import { valueItems } from "../system.ts";
import type { Item, SystemKind } from "../system.ts";

const SLOW_MS = 500;
const PAGE = 50;
const nothing = () => Promise.resolve(null);

/** A service of this process that goes away, comes back on its port and is slow. */
class Service {
  #server: ReturnType<typeof Bun.serve> | null = null;
  #isSlow = false;

  private constructor(
    readonly port: number,
    readonly answer: (request: Request) => Response | Promise<Response>,
  ) {}

  static async start(answer: Service["answer"]): Promise<Service> {
    const port = await freePort();
    const service = new Service(port!, answer);
    await service.up();
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  readonly setSlow = (isSlow: boolean) => {
    this.#isSlow = isSlow;
  };

  up(): Promise<void> {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: this.port,
      fetch: async (request) => {
        if (this.#isSlow) await Bun.sleep(SLOW_MS);
        return await this.answer(request);
      },
    });
    return Promise.resolve();
  }

  async down(): Promise<void> {
    await this.#server?.stop(true);
    this.#server = null;
  }

  /** As a part of a system. */
  get parts() {
    return {
      outage: { down: () => this.down(), up: () => this.up() },
      setSlow: this.setSlow,
      close: () => this.down(),
    };
  }
}

export const HTTP_SOURCE_POLL: SystemKind = {
  name: "http-source",
  need: nothing,
  async open() {
    const all: Item[] = [];
    const service = await Service.start((request) => {
      const after = Number(new URL(request.url).searchParams.get("after"));
      const items = all.slice(after, after + PAGE);
      return Response.json({ items, next: items.length === 0 ? null : after + items.length });
    });
    return {
      ...service.parts,
      kind: "source",
      claim: "at-least-once",
      config: {
        "connector.class": "http-source",
        url: `${service.url}?after={cursor}`,
        records: "v.items",
        cursor: "v.next",
        "cursor.initial": "0",
        "interval.ms": "100",
      },
      otherConfig: { "interval.ms": "200" },
      feed: (items) => {
        all.push(...items);
        return Promise.resolve();
      },
      feedBad: null,
      itemsOf: valueItems(),
    };
  },
};

export const HTTP_SOURCE_WEBHOOK: SystemKind = {
  name: "http-source-webhook",
  need: nothing,
  async open() {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    let isOver = false;
    /** Until it is answered that it is stored, as those do that call webhooks. */
    const post = async (body: string, wanted: number) => {
      while (!isOver) {
        const signal = AbortSignal.timeout(5000);
        const status = await fetch(url, { method: "POST", body, signal })
          .then((answer) => answer.status, () => 0);
        if (status === wanted) return;
        await Bun.sleep(100);
      }
    };
    return {
      kind: "source",
      claim: "at-least-once",
      config: { "connector.class": "http-source", mode: "webhook", listen: `127.0.0.1:${port}` },
      otherConfig: { "keep.headers": "user-agent" },
      outage: null,
      setSlow: null,
      feed: (items) => post(JSON.stringify(items), 200),
      feedBad: () => post("{no JSON", 400),
      itemsOf: valueItems(),
      close: () => {
        isOver = true;
        return Promise.resolve();
      },
    };
  },
};

export const HTTP_SINK: SystemKind = {
  name: "http-sink",
  need: nothing,
  async open() {
    const got: Item[] = [];
    const service = await Service.start(async (request) => {
      got.push(...await request.json() as Item[]);
      return new Response();
    });
    return {
      ...service.parts,
      kind: "sink",
      claim: "at-least-once",
      config: {
        "connector.class": "http-sink",
        url: service.url,
        "batch.size": "20",
        "errors.retry.timeout": "-1",
      },
      otherConfig: { "batch.size": "5" },
      read: () => Promise.resolve(got),
    };
  },
};
