/** The REST API over herders of one process; what it answers as Kafka's does is compared elsewhere. */
import { expect, test } from "bun:test";
import { bunClock } from "../../core/io/bun/clock.ts";
import { bunRandom } from "../../core/io/bun/random.ts";
import { silentLogger } from "../../core/logger.ts";
import { string } from "../config/fields.ts";
import { AloneMembership, type MembershipEvents, type Peer } from "../group/membership.ts";
import type { WorkerMembership } from "../group/membership.ts";
import { ConfigStore } from "../herder/config-store.ts";
import { LogLevels } from "../herder/log-levels.ts";
import { DEFAULT_RESTARTS } from "../herder/restarts.ts";
import { SessionKeys } from "../herder/session-keys.ts";
import { StatusStore } from "../herder/status-store.ts";
import { WorkerHerder } from "../herder/worker-herder.ts";
import { IdleWorker, Running } from "../herder/worker-herder.test-helper.ts";
import { MemoryLog, type RecordLog } from "../log/record-log.ts";
import { restApp } from "./app.ts";
import { BasicUsers } from "./basic-users.ts";
import { type AskHttp, HttpLeaderLink, signatureOf } from "./http-peer.ts";

/** A worker of a group that another one leads. */
class FollowerMembership implements WorkerMembership {
  readonly isLeader = false;
  readonly generation = 1;
  readonly isStable = true;
  constructor(readonly leader: Peer | null) {}
  start(): void {}
  workChanged(): void {}
  rejoin(): void {}
  ownerOf(): null {
    return null;
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
}

interface Options {
  readonly users?: BasicUsers;
  /** Whom it takes for the leader; left out: itself. */
  readonly leader?: Peer | null;
  readonly ask?: AskHttp;
  /** Of a group: what its workers share. */
  readonly configLog?: RecordLog;
  /** It is not waited for. */
  readonly isStarting?: true;
}

async function open(name: string, options: Options = {}) {
  const wallMs = () => bunClock.wallMs();
  const configs = new ConfigStore(options.configLog ?? new MemoryLog(wallMs), silentLogger);
  const running = new Running();
  const self = { workerId: `${name}:8083`, url: `http://${name}:8083/` };
  const ask = options.ask ?? (() => Promise.reject(new Error("nobody is there")));
  const herder = new WorkerHerder({
    clock: bunClock,
    logger: silentLogger,
    configs,
    statuses: new StatusStore(new MemoryLog(wallMs), silentLogger),
    plugins: {
      list: () => Promise.resolve([]),
      find: (plugin) => {
        const fields = { secret: string().optional() };
        return Promise.resolve(
          plugin === "idle" ? { name: "idle", type: "source", version: "1", fields } : null,
        );
      },
      kindOf: () => "source",
      versionOf: () => "1",
      refusal: (plugin) => `no ${plugin}`,
    },
    levels: new LogLevels(wallMs),
    self,
    makeWorker: (listener) => new IdleWorker({ clock: bunClock }, name, running, listener, () => 1),
    makeMembership: (events: MembershipEvents) =>
      options.leader === undefined
        ? new AloneMembership(self, events)
        : new FollowerMembership(options.leader),
    link: new HttpLeaderLink(bunClock, ask, () => configs.state.sessionKey),
    sessionKeys: new SessionKeys(bunClock, bunRandom),
    restarts: DEFAULT_RESTARTS,
    clusterId: () => Promise.resolve("cluster"),
    fenceProducers: () => Promise.resolve(),
    transactionalId: (connector, task) => `g-${connector}-${task}`,
    onFatal: () => {},
  });
  const started = herder.start();
  if (options.isStarting !== true) await started;
  const app = restApp({
    herder,
    clock: bunClock,
    logger: silentLogger,
    version: "1",
    commit: "c",
    ownName: name,
    users: options.users ?? null,
    ask,
    sessionKey: () => configs.state.sessionKey,
  });
  const request = async (method: string, path: string, init: RequestInit = {}) => {
    const headers = { host: `${name}:8083`, ...init.headers };
    const answer = await app.fetch(
      new Request(`http://${name}:8083${path}`, { ...init, method, headers }),
    );
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? null : JSON.parse(text) };
  };
  return { herder, app, request, configs };
}

const JSON_TYPE = { "content-type": "application/json" };
const idle = (more: object = {}) => ({
  headers: JSON_TYPE,
  body: JSON.stringify({ "connector.class": "idle", ...more }),
});

test("pages of others and names of others are refused, programs are not", async () => {
  const { herder, request } = await open("127.0.0.1");
  expect((await request("GET", "/connectors")).status).toBe(200);
  const foreign = { headers: { origin: "http://evil.example" } };
  expect((await request("GET", "/connectors", foreign)).status).toBe(403);
  const form = { headers: { "sec-fetch-site": "cross-site" }, body: "{}" };
  expect((await request("POST", "/connectors", form)).status).toBe(403);
  expect((await request("GET", "/connectors", { headers: { host: "evil.example" } })).status).toBe(
    421,
  );
  const text = { headers: { "content-type": "text/plain" }, body: "{}" };
  expect((await request("POST", "/connectors", text)).status).toBe(415);
  await herder.close();
});

test("with users only those are let in, and a wrong password is none", async () => {
  const users = BasicUsers.parse("# who\nalice:s3:cret\n\nbob:b\n", "users");
  const { herder, request } = await open("127.0.0.1", { users });
  const as = (text: string) => ({ headers: { authorization: `Basic ${btoa(text)}` } });
  expect((await request("GET", "/connectors")).status).toBe(401);
  expect((await request("GET", "/connectors", as("alice:s3:cret"))).status).toBe(200);
  expect((await request("GET", "/connectors", as("alice:s3"))).status).toBe(401);
  expect((await request("GET", "/connectors", as("bob:b"))).status).toBe(200);
  expect((await request("GET", "/connectors", as(""))).status).toBe(401);
  expect(() => BasicUsers.parse("alice\n", "users")).toThrow("no users in users: user 1 has no");
  await herder.close();
});

test("keys that are called as what objects inherit are keys", async () => {
  const { herder, request } = await open("127.0.0.1");
  const config = `{"connector.class":"idle","__proto__":"a","constructor":"b"}`;
  const put = await request("PUT", "/connectors/__proto__/config", {
    headers: JSON_TYPE,
    body: config,
  });
  expect(put.status).toBe(201);
  const got = await request("GET", "/connectors/__proto__/config");
  expect(JSON.stringify(got.body)).toContain(`"__proto__":"a","constructor":"b"`);
  expect(JSON.stringify((await request("GET", "/connectors?expand=info")).body)).toStartWith(
    `{"__proto__":{"info":`,
  );
  expect(({} as { a?: string }).a).toBeUndefined();
  await herder.close();
});

test("names may have slashes, spaces, percents and letters of all kinds", async () => {
  const { herder, request } = await open("127.0.0.1");
  for (const name of ["a/b", "100 %", "über", "a-1", "x:y?z#"]) {
    const body = JSON.stringify({ name, config: { "connector.class": "idle" } });
    const made = await request("POST", "/connectors", { headers: JSON_TYPE, body });
    expect([name, made.status]).toEqual([name, 201]);
    const path = `/connectors/${encodeURIComponent(name)}`;
    const got = await request("GET", path);
    expect([got.status, got.body.name]).toEqual([200, name]);
    expect((await request("GET", `${path}/config`)).body.name).toBe(name);
    expect((await request("DELETE", path)).status).toBe(204);
  }
  const control = JSON.stringify({ name: "a\nb", config: { "connector.class": "idle" } });
  const refused = await request("POST", "/connectors", { headers: JSON_TYPE, body: control });
  expect([refused.status, refused.body.message]).toEqual([
    400,
    expect.stringContaining("control characters"),
  ]);
  await herder.close();
});

test("references to secrets stay as they are in every answer", async () => {
  const { herder, request } = await open("127.0.0.1");
  await request("PUT", "/connectors/c/config", idle({ secret: "${env:HOME}" }));
  const answers = [
    await request("GET", "/connectors?expand=info&expand=status"),
    await request("GET", "/connectors/c/config"),
    await request("GET", "/connectors/c/tasks"),
    await request(
      "PUT",
      "/connector-plugins/idle/config/validate",
      idle({ secret: "${env:HOME}" }),
    ),
  ];
  for (const { status, body } of answers) {
    expect(status).toBe(200);
    const text = JSON.stringify(body);
    expect(text).not.toContain(`"${process.env["HOME"]}"`);
  }
  expect(JSON.stringify(answers[1])).toContain("${env:HOME}");
  await herder.close();
});

test("what the leader has to do is sent on to it, and no further than twice", async () => {
  const sent: string[] = [];
  const leader = await open("10.0.0.1");
  const ask: AskHttp = async (url, init) => {
    sent.push(`${init.method} ${url}`);
    const headers = new Headers(init.headers);
    headers.set("host", "10.0.0.1:8083");
    return await leader.app.fetch(new Request(url, { ...init, headers }));
  };
  const at = { workerId: "10.0.0.1:8083", url: "http://10.0.0.1:8083/" };
  const follower = await open("10.0.0.2", { leader: at, ask });
  const made = await follower.request("PUT", "/connectors/c/config", idle());
  expect(made.status).toBe(201);
  expect(made.body.name).toBe("c");
  expect(sent).toEqual(["PUT http://10.0.0.1:8083/connectors/c/config?forward=true"]);
  expect(leader.herder.connectors()).toEqual(["c"]);
  const missing = await follower.request("DELETE", "/connectors/nobody");
  expect([missing.status, missing.body.message]).toEqual([404, "Connector nobody not found"]);
  const tired = await follower.request("DELETE", "/connectors/c?forward=false");
  expect(tired.status).toBe(409);
  const lost = await open("10.0.0.3", { leader: null });
  const nowhere = await lost.request("DELETE", "/connectors/c");
  expect([nowhere.status, nowhere.body.message]).toEqual([
    409,
    "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was " +
    "underway.",
  ]);
  const unreachable = await open("10.0.0.4", { leader: at });
  expect((await unreachable.request("DELETE", "/connectors/c")).status).toBe(500);
  for (const { herder } of [leader, follower, lost, unreachable]) await herder.close();
});

test("workers' own requests need the group's signature, of this method, path and body", async () => {
  const { herder, request, configs } = await open("127.0.0.1");
  await request("PUT", "/connectors/c/config", idle());
  while (configs.state.sessionKey === null) await new Promise((resolve) => setTimeout(resolve, 1));
  const key = configs.state.sessionKey;
  const body = JSON.stringify([{ a: "1" }, { a: "2" }]);
  const send = (signature: string, text = body) =>
    request("POST", "/connectors/c/tasks", {
      headers: {
        ...JSON_TYPE,
        "x-connect-authorization": signature,
        "x-connect-request-signature-algorithm": "HmacSHA256",
      },
      body: text,
    });
  const right = signatureOf(key, "POST", "/connectors/c/tasks", body);
  expect((await send(right, `[{"a":"3"}]`)).status).toBe(403);
  expect((await send(signatureOf(key, "POST", "/connectors/d/tasks", body))).status).toBe(403);
  expect((await send("x")).status).toBe(403);
  expect(await send(right)).toEqual({ status: 204, body: null });
  expect(herder.tasks("c").map(({ config }) => config["a"])).toEqual(["1", "2"]);
  await herder.close();
});

test("a worker tells its figures, and those of others where that is asked", async () => {
  const { herder, app, request } = await open("127.0.0.1");
  await request("POST", "/connectors", {
    headers: JSON_TYPE,
    body: JSON.stringify({ name: "a", config: { "connector.class": "idle" } }),
  });
  const scraped = await app.fetch(
    new Request("http://127.0.0.1:8083/metrics", { headers: { host: "127.0.0.1:8083" } }),
  );
  expect(scraped.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
  expect(await scraped.text()).toContain("kafka_connect_worker_metrics_connector_count 1\n");
  const { status, body } = await request("GET", "/admin/figures?scope=cluster&connector=a");
  expect(status).toBe(200);
  expect(body.workers).toMatchObject([
    { worker_id: "127.0.0.1:8083", leader: true, failures: 0, restarts: 0 },
  ]);
  await herder.close();
});

test("a worker that starts answers once it knows what connectors there are", async () => {
  const gate = Promise.withResolvers<void>();
  class SlowLog extends MemoryLog {
    override async start(...hear: Parameters<MemoryLog["start"]>): Promise<void> {
      await gate.promise;
      await super.start(...hear);
    }
  }
  const configLog = new SlowLog(() => bunClock.wallMs());
  const { herder, request } = await open("127.0.0.1", { configLog, isStarting: true });
  expect((await request("GET", "/health")).status).toBe(503);
  const answered: string[] = [];
  const asked = [
    request("GET", "/connectors").then((answer) => {
      answered.push("GET");
      return answer;
    }),
    request("PUT", "/connectors/a/config", idle()).then((answer) => {
      answered.push("PUT");
      return answer;
    }),
  ];
  // What needs no connectors is answered meanwhile.
  expect((await request("GET", "/connector-plugins")).status).toBe(200);
  expect(answered).toEqual([]);
  gate.resolve();
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 201]);
  await herder.close();
});
