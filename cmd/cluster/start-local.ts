/**
 * `kstream cluster start-local`: processes of this program, and etcd if it is asked for, until
 * somebody stops them or this process ends. They have process groups of their own: Ctrl-C reaches
 * this process alone, which stops them in good order, the brokers first.
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { parseEtcdUrl } from "../../cluster/etcd/etcd-url.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { print, printJson } from "../output.ts";
import { gossipPortFor } from "../serve/cluster-member.ts";
import { ownCommand } from "../own-command.ts";
import { reasonOf } from "../reason.ts";
import { onInterrupt, say } from "../terminal.ts";

/** Options of the command. */
export interface StartLocalOptions {
  readonly nodes: number;
  readonly etcd?: boolean | undefined;
  readonly metadata?: string | undefined;
  readonly port: number;
  readonly data: string;
  readonly set: readonly string[];
  readonly json?: boolean | undefined;
}

const HOST = "127.0.0.1";
const CLUSTER = "local";
const POLL_MS = 50;
const ETCD_READY_MS = 20_000;
const BROKERS_READY_MS = 60_000;
/** How long a process has to end in good order. */
const STOP_MS = 30_000;
const SECRET_BYTES = 32;
const LOG_LINES_SHOWN = 2;
const PORT_MAX = 65_535;

/** A process that was started. */
interface Started {
  readonly name: string;
  readonly logFile: string;
  readonly child: Bun.Subprocess;
}

/** `kstream cluster start-local`. */
export async function startLocal(options: StartLocalOptions): Promise<void> {
  const { metadata, etcd } = options;
  if ((metadata === undefined) === (etcd !== true)) {
    throw new OperatorError(
      "a cluster keeps its metadata in etcd",
      etcd === true ? "--etcd starts one, --metadata names another" : "no etcd is named",
      etcd === true ? "give one of them" : "say --etcd to start one here, or --metadata etcd://…",
      2,
    );
  }
  if (metadata !== undefined) parseEtcdUrl(metadata);
  const dir = resolve(options.data);
  makeDir(dir);
  const interrupted = onInterrupt();
  const running: Started[] = [];
  // A second Ctrl-C ends this process at once: nobody would stop the others then.
  process.on("exit", () => {
    for (const { child } of running) child.kill("SIGTERM");
  });
  try {
    const ports = await freePortsFrom(gossipPortFor(options.port), options.nodes + 2);
    const [port = 0, peerPort = 0] = ports.splice(options.nodes);
    const url = metadata ?? await startEtcd(dir, port, peerPort, running, interrupted);
    const brokers = await startBrokers(options, dir, url, ports, running, interrupted);
    await announce(options, dir, url, brokers);
    await untilEnd(running, interrupted);
  } catch (error) {
    // Somebody has had enough before all was there.
    if (!interrupted.aborted) throw error;
  } finally {
    for (const each of running.toReversed()) await stop(each);
  }
}

function makeDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new OperatorError(
      `cannot make the directory ${path}`,
      reasonOf(error),
      "check --data",
      1,
    );
  }
}

/**
 * What ends etcd with its standard input, a little later than brokers end with theirs
 * (`serve --until-eof`): they need it to end in good order. Else it leaves etcd as it is.
 */
const UNTIL_EOF = `
exec 3<&0
"$@" 3<&- </dev/null & program=$!
{ cat <&3 >/dev/null; sleep 10; kill $program; } 2>/dev/null & watcher=$!
exec 3<&-
trap 'kill $watcher $program; wait $program; exit $?' TERM
wait $program; code=$?
kill $watcher
exit $code
`;

/**
 * Starts a process whose output goes to a file. Its standard input ends with this process, however that
 * ends, and so does it.
 */
function start(name: string, dir: string, command: readonly string[]): Started {
  const logFile = join(dir, `${name}.log`);
  const log = openSync(logFile, "w");
  try {
    const child = Bun.spawn([...command], {
      stdin: "pipe",
      stdout: "ignore",
      stderr: log,
      detached: true,
    });
    return { name, logFile, child };
  } finally {
    closeSync(log);
  }
}

async function startEtcd(
  dir: string,
  port: number,
  peerPort: number,
  running: Started[],
  signal: AbortSignal,
): Promise<string> {
  const program = Bun.which("etcd");
  if (program === null) {
    throw new OperatorError(
      "etcd is not installed",
      "there is no program etcd on the PATH",
      "install it (apt-get install etcd-server), or name one that runs with --metadata",
    );
  }
  const [client, peer] = [`http://${HOST}:${port}`, `http://${HOST}:${peerPort}`];
  const started = start("etcd", dir, [
    ...["sh", "-c", UNTIL_EOF, "sh"],
    ...[program, "--name", CLUSTER, "--data-dir", join(dir, "etcd")],
    ...["--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
    ...["--initial-cluster", `${CLUSTER}=${peer}`],
  ]);
  running.push(started);
  await ready(started, ETCD_READY_MS, signal, async () => {
    const answer = await fetch(`${client}/health`, { signal: AbortSignal.timeout(1000) })
      .catch(() => null);
    return answer?.ok === true;
  });
  return `etcd://${HOST}:${port}`;
}

/**
 * Ports that nobody listens on, from this one upwards. Not any that the system would choose: it gives
 * those to clients as well, and one could have it before the process that it was meant for.
 */
async function freePortsFrom(first: number, count: number): Promise<number[]> {
  const found: number[] = [];
  for (let port = first; port <= PORT_MAX && found.length < count; port++) {
    if (await isFree(port)) found.push(port);
  }
  if (found.length === count) return found;
  throw new OperatorError(
    `there are not ${count} free ports from ${first} on`,
    "something listens on them",
    "choose another --port",
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

/** Resolves with where each broker is reached, and its admin API. */
async function startBrokers(
  { port, set }: StartLocalOptions,
  dir: string,
  metadata: string,
  gossip: readonly number[],
  running: Started[],
  signal: AbortSignal,
): Promise<Broker[]> {
  const secret = secretFile(dir);
  const brokers = gossip.map((gossipPort, index) => {
    const nodeId = index + 1;
    const name = `node${nodeId}`;
    const readyFile = join(dir, `${name}.ready`);
    rmSync(readyFile, { force: true });
    const others = gossip.filter((each) => each !== gossipPort);
    const started = start(name, dir, [
      ...[...ownCommand(), "serve", "--until-eof", "--cluster", CLUSTER, "--metadata", metadata],
      ...["--node-id", String(nodeId), "--host", name, "--secret-file", secret],
      ...["--listen", `${HOST}:${port + index}`, "--data", join(dir, name)],
      ...["--gossip-port", String(gossipPort), "--admin", `${HOST}:0`, "--ready-file", readyFile],
      ...others.flatMap((each) => ["--join", `${HOST}:${each}`]),
      ...set.flatMap((each) => ["--set", each]),
    ]);
    running.push(started);
    return { nodeId, address: `${HOST}:${port + index}`, readyFile, started };
  });
  await Promise.all(
    brokers.map(({ started, readyFile }) =>
      ready(started, BROKERS_READY_MS, signal, () => Promise.resolve(existsSync(readyFile)))
    ),
  );
  return brokers.map(({ nodeId, address, readyFile, started }) => ({
    nodeId,
    address,
    admin: /^http:.+$/m.exec(readFileSync(readyFile, "utf8"))?.[0] ?? null,
    pid: started.child.pid,
    logFile: started.logFile,
  }));
}

/** A broker that serves. */
interface Broker {
  readonly nodeId: number;
  readonly address: string;
  readonly admin: string | null;
  readonly pid: number;
  readonly logFile: string;
}

/** The secret of all that ever run in the directory. */
function secretFile(dir: string): string {
  const path = join(dir, "secret");
  if (existsSync(path)) return path;
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
  writeFileSync(path, `${secret.toString("base64url")}\n`, { mode: 0o600 });
  return path;
}

/** Waits until a process can serve. Throws an `OperatorError` if it ends before, or never can. */
async function ready(
  started: Started,
  withinMs: number,
  signal: AbortSignal,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const until = performance.now() + withinMs;
  while (!await isReady()) {
    signal.throwIfAborted();
    if (hasEnded(started)) throw ended(started);
    if (performance.now() > until) {
      throw new OperatorError(
        `${started.name} cannot serve after ${withinMs / 1000} s`,
        lastLines(started),
        `see ${started.logFile}`,
        3,
      );
    }
    await Bun.sleep(POLL_MS);
  }
}

function hasEnded({ child }: Started): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function ended(started: Started): OperatorError {
  const { name, logFile, child } = started;
  const how = child.signalCode === null ? `exit code ${child.exitCode}` : child.signalCode;
  return new OperatorError(`${name} has ended (${how})`, lastLines(started), `see ${logFile}`);
}

function lastLines({ logFile }: Started): string {
  try {
    const lines = readFileSync(logFile, "utf8").trimEnd().split("\n");
    return lines.slice(-LOG_LINES_SHOWN).join("; ");
  } catch (error) {
    return reasonOf(error);
  }
}

async function announce(
  { json, nodes }: StartLocalOptions,
  dir: string,
  metadata: string,
  brokers: readonly Broker[],
): Promise<void> {
  const bootstrap = brokers.map(({ address }) => address).join(",");
  if (json) return await printJson({ cluster: CLUSTER, bootstrap, metadata, data: dir, brokers });
  const lines = [
    `a cluster of ${nodes} serves Kafka's protocol`,
    "",
    ...brokers.map(({ nodeId, address, admin, pid }) =>
      `  node ${nodeId}          ${address}, admin ${admin ?? "off"}, process ${pid}`
    ),
    `  metadata        ${metadata.replace(/\/\/.*@/, "//")}`,
    `  data, logs      ${dir}`,
    "",
    `  try             kstream cluster status -b ${brokers[0]?.address}`,
    "  end             Ctrl-C",
    "",
  ];
  await print(lines.join("\n"));
}

/** Waits for somebody who wants all to end. Says once of each process that has ended by itself. */
async function untilEnd(running: readonly Started[], signal: AbortSignal): Promise<void> {
  const told = new Set<Started>();
  while (!signal.aborted) {
    for (const each of running) {
      if (told.has(each) || !hasEnded(each)) continue;
      told.add(each);
      say(`kstream: ${ended(each).message}`);
    }
    await Bun.sleep(POLL_MS);
  }
}

async function stop({ name, child }: Started): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  const timer = setTimeout(() => {
    say(`kstream: ${name} does not end: it is killed`);
    child.kill("SIGKILL");
  }, STOP_MS);
  await child.exited;
  clearTimeout(timer);
}
