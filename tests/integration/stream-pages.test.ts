/** What the admin server tells of applications that run, and whom it asks for it. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type BrokerProcess,
  freshDir,
  KSTREAM,
  startBrokerProcess,
} from "../harness/broker-process.ts";
import { TestAuthority } from "../harness/certificates.ts";
import { freePorts } from "../harness/free-ports.ts";
import { fails, ok } from "./cli.ts";

const dir = freshDir("stream-pages");
const token = join(dir, "token");
writeFileSync(token, "the-token-of-this-test");

/** An application that copies lines, under the id; it is ended with what else is given back. */
let states = 0;
function run(broker: BrokerProcess, id: string, ...args: string[]) {
  const file = join(dir, `${id}.ts`);
  writeFileSync(
    file,
    `import { string, TopologyBuilder } from "kstream/stream";
export const config = { "application.id": "${id}" };
const builder = new TopologyBuilder();
builder.stream("lines", { value: string() }).to("copies");
export default builder;
`,
  );
  const child = Bun.spawn([
    ...[KSTREAM, "stream", "run", file, "-b", broker.bootstrap, "--log-level", "warn"],
    ...["--set", `state.dir=${dir}/state-${states++}`, ...args],
  ], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  return async () => {
    child.kill("SIGTERM");
    await child.exited;
  };
}

interface Told {
  readonly status?: number;
  readonly kind?: string;
  readonly lag?: number | null;
  readonly members?: readonly unknown[];
  readonly live?: {
    readonly members?: readonly unknown[];
    readonly missing?: readonly unknown[];
    readonly nodes: Readonly<Record<string, { readonly in: number }>>;
  } | null;
  readonly notTold?: { readonly detail: string; readonly command: string | null } | null;
}

/** What is said of an application once that is as wanted. */
async function told(
  { admin }: BrokerProcess,
  id: string,
  isRight: (told: Told) => boolean,
): Promise<Told> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const answer: Told = await (await fetch(new URL(`/v1/streams/${id}`, admin!))).json();
    if (isRight(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`${id}: ${JSON.stringify(answer)}`);
    await Bun.sleep(50);
  }
}

async function withApps(
  args: readonly string[],
  body: (
    broker: BrokerProcess,
    start: (id: string, ...args: string[]) => void,
  ) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const broker = await startBrokerProcess({ args: ["--admin", "127.0.0.1:0", ...args], env });
  const ends: (() => Promise<void>)[] = [];
  try {
    for (const topic of ["lines", "copies"]) {
      await ok(["topic", "create", topic], { brokers: broker.bootstrap });
    }
    await ok(["produce", "lines"], { brokers: broker.bootstrap, input: "one\ntwo\n" });
    await body(broker, (id, ...more) => ends.push(run(broker, id, ...more)));
  } finally {
    await Promise.all(ends.map((end) => end()));
    await broker.stop();
  }
}

const records = ({ live }: Told) =>
  Object.values(live?.nodes ?? {}).reduce((most, node) => Math.max(most, node.in), 0);

test(
  "members on this host are asked as they are; of others it is said what would change it",
  () =>
    withApps([], async (broker, start) => {
      start("here", "--queries", "127.0.0.1:0");
      start("quiet");
      start("threads", "--queries", "127.0.0.1:0", "--set", "num.stream.threads=2");
      start("kip1071", "--queries", "127.0.0.1:0", "--set", "group.protocol=streams");
      start("there", "--queries", "127.0.0.1:0", "--queries-advertise", "shop.example:8090");
      start("guarded", "--queries", "127.0.0.1:0", "--queries-token", token);
      const here = await told(broker, "here", (each) => {
        return records(each) === 2 && each.lag === 0;
      });
      expect(here).toMatchObject({ kind: "kstream", notTold: null });
      const threads = await told(broker, "threads", (each) => {
        return records(each) === 2 && each.live!.members?.length === 2;
      });
      expect(threads.members).toHaveLength(2);
      const kip1071 = await told(broker, "kip1071", (each) => records(each) === 2);
      expect(kip1071.kind).toBe("streams");
      const why = async (id: string) =>
        (await told(broker, id, ({ notTold }) =>
          notTold?.detail !== undefined && !notTold.detail.includes("does not run") &&
          !notTold.detail.includes("starting"))).notTold!;
      expect((await why("quiet")).command).toContain("--queries");
      expect(await why("there")).toMatchObject({
        detail: expect.stringContaining("shop.example"),
        command: "kstream serve --streams-hosts 'shop.example'",
      });
      expect((await why("guarded")).command).toBe(
        "kstream serve --streams-hosts 127.0.0.1 --streams-token FILE",
      );
      const list = await (await fetch(new URL("/v1/streams", broker.admin!))).json();
      expect(list.applications.map((each: { application: string }) =>
        each.application
      )).toEqual([
        ...["guarded", "here", "kip1071", "quiet", "there", "threads"],
      ]);
      expect((await fetch(new URL("/v1/streams/nobody", broker.admin!))).status).toBe(404);
    }),
  120_000,
);

test(
  "members that ask for a token are told it where their host is named",
  () =>
    withApps(["--streams-hosts", "127.0.0.1", "--streams-token", token], async (broker, start) => {
      start("guarded", "--queries", "127.0.0.1:0", "--queries-token", token);
      const guarded = await told(broker, "guarded", (each) => records(each) === 2);
      expect(guarded.members).toHaveLength(1);
      const serve = ["serve", "--data", join(dir, "none"), "--listen", "127.0.0.1:0"];
      await fails([...serve, "--streams-token", token], 2, ["--streams-hosts"]);
      await fails([...serve, "--streams-hosts", "a/b"], 2, ['cannot be read: "a/b"']);
    }),
  120_000,
);

test(
  "members speak TLS to one another, to the pages and to commands, and the token goes along",
  async () => {
    const authority = new TestAuthority();
    try {
      const { certFile, keyFile } = authority.sign("members");
      const access = ["--queries-token", token, "--queries-ca", authority.caFile];
      const tls = ["--queries-cert", certFile, "--queries-key", keyFile, ...access];
      const hosts = ["--streams-hosts", "https://127.0.0.1", "--streams-token", token];
      await withApps(hosts, async (broker, start) => {
        const ports = await freePorts(2);
        start("tls", "--queries", `127.0.0.1:${ports[0]}`, ...tls);
        const threads = ["--set", "num.stream.threads=2"];
        start("tls", "--queries", `127.0.0.1:${ports[1]}`, ...tls, ...threads);
        await told(broker, "tls", (each) => {
          return records(each) === 2 && each.live!.members?.length === 3 &&
            each.live!.missing?.length === 0;
        });
        const describe = ["stream", "describe", "--live", `https://127.0.0.1:${ports[0]}`];
        expect(await ok([...describe, ...access])).toContain("tls: 3 members");
        await fails([...describe, "--queries-token", token], 3, ["no member answers"]);
        await fails([...describe, "--queries-ca", authority.caFile], 1, ["asks for a token"]);
        const alone = ["stream", "run", join(dir, "tls.ts"), "-b", broker.bootstrap];
        await fails([...alone, "--queries", "127.0.0.1:0", "--queries-cert", certFile], 2, [
          "cannot speak TLS",
        ]);
        await fails([...alone, "--queries", "127.0.0.1:0", ...access], 2, ["--queries-cert"]);
        await fails([...alone, "--queries-key", keyFile], 2, ["--queries-key is for --queries"]);
      }, { NODE_EXTRA_CA_CERTS: authority.caFile });
    } finally {
      authority.dispose();
    }
  },
  120_000,
);
