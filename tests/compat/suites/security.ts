/**
 * TLS and SASL of the client library and of the commands, against Apache Kafka's listeners: what
 * works, that a session is prolonged (KIP-368), and what people read when something is wrong.
 */
import { pbkdf2Sync } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MirrorBroker, MirrorWorker, until } from "../../connect/servers/mirror-scene.ts";
import { freshDir, KSTREAM } from "../../harness/broker-process.ts";
import { run, runOk } from "../../harness/process.ts";
import { Cluster } from "../../../client/cluster.ts";
import type { ClientOptions } from "../../../client/options.ts";
import { clientIo } from "../../../cmd/client.ts";
import { sleep } from "../../../core/io.ts";
import { alterUserScramCredentials } from "../../../core/protocol/51-alter-user-scram-credentials.ts";
import { withApacheKafka } from "../apache-broker.ts";
import { freePort } from "../../harness/free-ports.ts";
import { needKafka } from "../install.ts";
import { type CompatSuite, expectContains, expectEqual } from "../suite.ts";

const LISTENERS = ["TLS", "MUTUAL", "SASL", "BOTH", "SHORT"] as const;
const REAUTHENTICATE_MS = 3000;
/** `{"alg":"none"}.{"sub":"alice","exp":…}.`: Kafka takes unsigned tokens unless told otherwise. */
const TOKEN = `${base64url({ alg: "none" })}.${base64url({ sub: "alice", iat: 1, exp: 4e9 })}.`;
const EXPIRED = `${base64url({ alg: "none" })}.${base64url({ sub: "alice", iat: 1, exp: 2 })}.`;

type Ports = Readonly<Record<(typeof LISTENERS)[number] | "PLAINTEXT" | "CONTROLLER", number>>;

interface Secured {
  readonly at: (listener: keyof Ports) => string;
  /** PEM files. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly dir: string;
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** A CA, and a certificate for `localhost` (and no address) that it has signed. */
async function makeCertificates(dir: string): Promise<Omit<Secured, "at" | "dir">> {
  const openssl = (...args: string[]) => runOk(["openssl", ...args], { cwd: dir });
  const newKey = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];
  await openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=ca",
  );
  await openssl(
    ...["req", "-x509", ...newKey, "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=broker"],
    ...["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"],
    ...["-keyout", "host.key", "-out", "host.pem"],
  );
  const [ca, cert, key] = ["ca.pem", "host.pem", "host.key"].map((name) => join(dir, name));
  const store = readFileSync(key!, "utf8") + readFileSync(cert!, "utf8");
  await Bun.write(join(dir, "store.pem"), store);
  return { ca: ca!, cert: cert!, key: key! };
}

function settings(ports: Ports, dir: string): Record<string, string> {
  const listeners = Object.entries(ports);
  const urls = listeners.map(([name, port]) => `${name}://127.0.0.1:${port}`);
  const advertised = urls.filter((url) => !url.startsWith("CONTROLLER"));
  const module = (name: string, rest = "") =>
    `org.apache.kafka.common.security.${name} required${rest};`;
  const sasl = ["SASL", "BOTH", "SHORT"].flatMap((name) => {
    const prefix = `listener.name.${name.toLowerCase()}`;
    const modules = {
      plain: module("plain.PlainLoginModule", ` user_alice="s3cret"`),
      "scram-sha-256": module("scram.ScramLoginModule"),
      "scram-sha-512": module("scram.ScramLoginModule"),
      oauthbearer: module(
        "oauthbearer.OAuthBearerLoginModule",
        ` unsecuredLoginStringClaim_sub="x"`,
      ),
    };
    return Object.entries(modules).map((
      [mechanism, line],
    ) => [`${prefix}.${mechanism}.sasl.jaas.config`, line]);
  });
  return {
    listeners: urls.join(","),
    "advertised.listeners": advertised.join(",").replaceAll("127.0.0.1", "localhost"),
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL," +
      "MUTUAL:SSL,SASL:SASL_PLAINTEXT,BOTH:SASL_SSL,SHORT:SASL_PLAINTEXT",
    "controller.quorum.voters": `1@127.0.0.1:${ports.CONTROLLER}`,
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": join(dir, "store.pem"),
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": join(dir, "ca.pem"),
    "listener.name.mutual.ssl.client.auth": "required",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
    "listener.name.both.sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.short.connections.max.reauth.ms": String(REAUTHENTICATE_MS),
    ...Object.fromEntries(sasl),
  };
}

async function addScramUser(bootstrap: string): Promise<void> {
  const cluster = new Cluster(clientIo, { brokers: [bootstrap] });
  const salt = new Uint8Array(20).fill(7);
  const iterations = 8192;
  const connection = await cluster.any();
  // One user and mechanism per request: Kafka takes no more.
  for (const [mechanism, size, hash] of [[1, 32, "sha256"], [2, 64, "sha512"]] as const) {
    const saltedPassword = new Uint8Array(pbkdf2Sync("s3cret", salt, iterations, size, hash));
    const { results } = await connection.request(alterUserScramCredentials, {
      upsertions: [{ name: "alice", mechanism, iterations, salt, saltedPassword }],
    });
    expectEqual(results.map(({ errorCode }) => errorCode), [0], "SCRAM user");
  }
  cluster.close();
}

/** One Kafka for all cases: it takes seconds to start. */
async function withSecuredKafka(body: (secured: Secured) => Promise<void>): Promise<void> {
  const dir = freshDir("security");
  try {
    const files = await makeCertificates(dir);
    const entries: [string, number][] = [];
    for (const name of ["PLAINTEXT", "CONTROLLER", ...LISTENERS]) {
      entries.push([name, await freePort()]);
    }
    const ports = Object.fromEntries(entries) as Ports;
    await withApacheKafka(
      async () => {
        await addScramUser(`localhost:${ports.PLAINTEXT}`);
        await body({ ...files, dir, at: (listener) => `localhost:${ports[listener]}` });
      },
      settings(ports, dir),
      ports.PLAINTEXT,
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Produces and consumes through the command line with these flags. */
async function roundTrip(secured: Secured, listener: keyof Ports, ...flags: string[]) {
  const topic = `t-${listener.toLowerCase()}-${Bun.hash(flags.join(" ")).toString(36)}`;
  const args = ["-b", secured.at(listener), ...flags];
  await runOk([KSTREAM, "produce", topic, ...args], { input: "one\ntwo\n" });
  const read = await runOk([KSTREAM, "consume", topic, "-e", ...args]);
  expectEqual(read.stdout, "one\ntwo\n", `${listener} ${flags.join(" ")}`);
}

async function theWaysIn(secured: Secured): Promise<void> {
  const tls = ["--tls-ca", secured.ca];
  const alice = (mechanism: string) => [
    ...["--sasl-mechanism", mechanism, "--sasl-user", "alice", "--sasl-password", "s3cret"],
  ];
  await roundTrip(secured, "TLS", ...tls);
  await roundTrip(secured, "TLS", "--tls-insecure");
  await roundTrip(secured, "MUTUAL", ...tls, "--tls-cert", secured.cert, "--tls-key", secured.key);
  for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]) {
    await roundTrip(secured, "SASL", ...alice(mechanism));
  }
  await roundTrip(secured, "SASL", "--sasl-token", TOKEN);
  await roundTrip(secured, "BOTH", ...tls, ...alice("SCRAM-SHA-512"));
}

/** What people read, one line each, and the code that scripts see. */
async function theWaysToFail(secured: Secured): Promise<void> {
  const cases: [keyof Ports, string[], number, RegExp][] = [
    [
      "TLS",
      ["--tls"],
      1,
      /signed by nobody who is trusted here.*: name who signed it with --tls-ca/,
    ],
    ["TLS", [], 1, /TLS.*--tls/],
    ["PLAINTEXT", ["--tls-ca", secured.ca], 3, /does not seem to speak TLS.*: leave out --tls/],
    ["MUTUAL", ["--tls-ca", secured.ca], 1, /wants a certificate.*: give --tls-cert and --tls-key/],
    [
      "MUTUAL",
      ["--tls-cert", secured.cert, "--tls-key", join(secured.dir, "ca.key")],
      1,
      /are of no use.*check.*that --tls-key is its key/,
    ],
    ["SASL", [], 3, /does it want SASL\?\): give --sasl-user/],
    ["SASL", ["--sasl-user", "alice"], 1, /user "alice" is refused.*: check --sasl-user/],
    ["SASL", ["--sasl-user", "bob", "--sasl-mechanism", "PLAIN"], 1, /user "bob" is refused/],
    ["SASL", ["--sasl-token", "e30.e30."], 3, /wrong credentials\?\): check the --sasl flags/],
    ["SASL", ["--sasl-token", EXPIRED], 1, /the token is refused.*check the token/],
    [
      "BOTH",
      ["--tls-ca", secured.ca, "--sasl-user", "alice", "--sasl-mechanism", "PLAIN"],
      1,
      /not offered here, only SCRAM-SHA-512: choose another with --sasl-mechanism/,
    ],
    ["PLAINTEXT", ["--sasl-user", "alice"], 1, /connect without SASL: leave out the --sasl flags/],
  ];
  for (const [listener, flags, code, line] of cases) {
    const env: Record<string, string> = {};
    if (flags.includes("--sasl-user")) env["KSTREAM_SASL_PASSWORD"] = "wr0ng-s3cret";
    const command = [KSTREAM, "topic", "list", "-b", secured.at(listener), "--timeout", "10"];
    const { exitCode, stderr } = await run([...command, ...flags], { env });
    const what = `${listener} ${flags.join(" ")}`;
    expectContains(stderr, line, what);
    expectEqual([exitCode, stderr.trim().split("\n").length], [code, 1], `${what}: ${stderr}`);
    if (stderr.includes("wr0ng")) throw new Error(`${what} shows the password: ${stderr}`);
  }
  const byAddress = secured.at("TLS").replace("localhost", "127.0.0.1");
  const wrong = [KSTREAM, "topic", "list", "-b", byAddress, "--tls-ca", secured.ca];
  expectContains((await run(wrong)).stderr, /for another name.*--tls-server-name/, "wrong name");
  await runOk([...wrong, "--tls-server-name", "localhost"]);
}

/** Three sessions' time of questions, none of which may fail, on one connection. */
async function sessionsProlonged(secured: Secured): Promise<void> {
  const options: ClientOptions = {
    brokers: [secured.at("SHORT")],
    sasl: { mechanism: "SCRAM-SHA-256", username: "alice", password: "s3cret" },
  };
  const cluster = new Cluster(clientIo, options);
  const connection = await cluster.any();
  const { clock } = clientIo;
  const endMs = clock.monotonicMs() + 3.5 * REAUTHENTICATE_MS;
  while (clock.monotonicMs() < endMs) {
    await cluster.refresh([]);
    await sleep(clock, 5);
  }
  expectEqual(connection.closed, false, "the first connection has ended");
  cluster.close();
}

/** A mirror of ours, each way in with its own alias, so that copies are told apart. */
async function mirrored(secured: Secured): Promise<void> {
  await runOk([KSTREAM, "produce", "mirrored", "-b", secured.at("PLAINTEXT")], {
    input: "one\ntwo\n",
  });
  const jaas = (module: string) =>
    `org.apache.kafka.common.security.${module} required username="alice" password="s3cret";`;
  const scram = {
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.jaas.config": jaas("scram.ScramLoginModule"),
  };
  const trusting = { "ssl.truststore.location": secured.ca };
  const ways: [keyof Ports, string, Record<string, string>][] = [
    ["TLS", "SSL", trusting],
    ["SASL", "SASL_PLAINTEXT", { "sasl.jaas.config": jaas("plain.PlainLoginModule") }],
    ["BOTH", "SASL_SSL", { ...trusting, ...scram }],
  ];
  const target = await MirrorBroker.start();
  const worker = new MirrorWorker(
    target.bootstrap,
    ways.map(([listener, protocol, settings]) => {
      const all = { ...settings, "security.protocol": protocol };
      const prefixed = Object.entries(all).map(([name, value]) => [
        `source.cluster.${name}`,
        value,
      ]);
      return {
        name: listener.toLowerCase(),
        connector: "mirror-source",
        topics: "mirrored",
        "source.cluster.alias": listener.toLowerCase(),
        "source.cluster.bootstrap.servers": secured.at(listener),
        ...Object.fromEntries(prefixed),
        "replication.factor": 1,
        "offset-syncs.topic.replication.factor": 1,
      };
    }),
  );
  try {
    await worker.up();
    for (const [listener] of ways) {
      const copy = `${listener.toLowerCase()}.mirrored`;
      await until(async () => {
        const read = await run([KSTREAM, "consume", copy, "-e", "-b", target.bootstrap]);
        return read.stdout === "one\ntwo\n" || null;
      }, async () => `${copy}: ${await worker.down()}`);
    }
    const said = await worker.stop();
    if (said.includes("s3cret")) throw new Error(`a mirror shows the password: ${said}`);
  } finally {
    await worker.down();
    await target.stop();
  }
}

export const security: CompatSuite = {
  name: "security",
  needs: [needKafka],
  inSample: false,
  cases: [{
    name: "TLS and SASL against Apache Kafka: ways in, ways to fail, sessions that go on, mirrors",
    run: () =>
      withSecuredKafka(async (secured) => {
        await theWaysIn(secured);
        await theWaysToFail(secured);
        await sessionsProlonged(secured);
        await mirrored(secured);
      }),
  }],
};
