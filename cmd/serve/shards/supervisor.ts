/**
 * `kstream serve --shards N`: starts N brokers as processes of this program, starts again the ones that
 * end, and stops all of them. Without `--cluster` this process is their controller, over a metadata log of
 * its own; with it, they are ordinary members of that cluster, and it only watches them.
 */
import type { BrokerConfig } from "../../../broker/config/broker-config.ts";
import {
  type ControllerNode,
  startControllerNode,
} from "../../../broker/cluster/controller-node.ts";
import { bunCodecs } from "../../../core/compression/bun.ts";
import { bunIo } from "../../../core/io/bun/index.ts";
import { type Io, sleep } from "../../../core/io.ts";
import { type Logger, silentLogger } from "../../../core/logger.ts";
import { OperatorError } from "../../../core/operator-error.ts";
import { LOCK_FILE } from "../../../storage/names.ts";
import { brokerConfigTexts, serveLogger, type ServeOptions } from "../../serve.ts";
import { parseAdminAddress } from "../admin-address.ts";
import { isMember, NODE_ID_MAX, nodeIdOnDisk, refuse } from "../cluster-flags.ts";
import { listenerBetween, memberListeners } from "../cluster-member.ts";
import { chooseListeners, dataDirsOf, parseConfig } from "../config-texts.ts";
import { refuseInsecure, secureListeners, speaksTls } from "../listener-security.ts";
import { workerOffload } from "../offload.ts";
import type { Parent } from "../parent.ts";
import { systemdNotices } from "../reporting.ts";
import { die, endOnStrayErrors, EXIT_FAILED, listenForSignals } from "../process.ts";
import { parseTopicSpec } from "../topic-spec.ts";
import { announceShards, type ServingShard } from "./announce-shards.ts";
import type { ShardCluster } from "./handover.ts";
import { checkLayout, controllerDir, firstNodeId } from "./layout.ts";
import { planShards, type ShardPlan } from "./plan.ts";
import { ShardProcess } from "./shard-process.ts";
import { watchShards } from "./watchdog.ts";

/** No broker can have it. */
const CONTROLLER_ID = NODE_ID_MAX;
const SECRET_BYTES = 32;
/** How long shards have to stop in good order. */
const STOP_MS = 40_000;
/** How long shards of an earlier supervisor, which was killed, have to end. */
const EARLIER_MS = 40_000;
const POLL_MS = 50;
/** How long a shard has to say how it is. */
const ANSWER_MS = 1000;

/** Runs until a signal ends it, or the end of the program that has started it; gives the exit code. */
export async function superviseShards(
  options: ServeOptions,
  shards: number,
  version: string,
  parent: Parent | null,
): Promise<number> {
  const io = bunIo(workerOffload());
  const logger = serveLogger(options, io.clock, null);
  // Before any shard could take its words for its own.
  const systemd = await systemdNotices(io.clock);
  const { config, texts, plans } = await prepare(options, shards, io);
  const processes: ShardProcess[] = [];
  const killAll = () => processes.forEach((each) => each.kill());
  const signals = listenForSignals(logger, killAll);
  endOnStrayErrors(logger);
  const ended = Promise.race([signals.first, ...parent === null ? [] : [parent.whenGone()]]);
  const stopping = new AbortController();
  await untilFree(plans, io);
  const controller = options.cluster === undefined
    ? await startController(io, logger, texts, config, options)
    : null;
  try {
    if (controller !== null) refuseLost(plans, controller.node, io);
    const ready = startAll(plans, options, controller?.cluster ?? null, { io, logger }, processes);
    const addresses = await Promise.race([ready, ended.then(() => null)]);
    if (addresses !== null) {
      announceShards(options, version, config, addresses);
      systemd?.ready(`serving from ${shards} shards`);
      const { watchdogMs = null } = systemd ?? {};
      if (watchdogMs !== null) void watchShards(io.clock, processes, watchdogMs, stopping.signal);
      await ended;
    }
  } finally {
    stopping.abort(new Error("the shards stop"));
    systemd?.stopping();
    const orderly = await Promise.all(processes.map((each) => each.stop(STOP_MS)));
    await controller?.node.close();
    if (orderly.every(Boolean)) logger.info("all shards have stopped in good order");
    else process.exitCode = EXIT_FAILED;
  }
  return Number(process.exitCode ?? 0);
}

interface Prepared {
  readonly config: BrokerConfig;
  readonly texts: Map<string, string>;
  readonly plans: readonly ShardPlan[];
}

/** Says at once, in one line, what no shard could be started with. */
async function prepare(
  options: ServeOptions,
  shards: number,
  { clock, disk }: Io,
): Promise<Prepared> {
  const isClustered = isMember(options);
  refuseForShards(options);
  const texts = await brokerConfigTexts(options);
  const config = parseConfig(texts);
  if (config.get("kstream.storage") === "memory") refuseMemory();
  await checkListeners(options, config, isClustered, clock);
  options.topic.forEach(parseTopicSpec);
  const dirs = dataDirsOf(config);
  checkLayout(disk, dirs, shards, !isClustered);
  const onDisk = firstNodeId(disk, dirs);
  const first = config.isSet("node.id") || onDisk === null && !isClustered
    ? config.get("node.id")
    : onDisk ?? nodeIdOnDisk(disk, dirs);
  const plans = planShards({ options, texts, config, shards, firstNodeId: first });
  return { config, texts, plans };
}

/** Each shard reads keys and certificates for itself; what is wrong with them is said once, before. */
async function checkListeners(
  options: ServeOptions,
  config: BrokerConfig,
  isClustered: boolean,
  { wallMs: nowMs }: Io["clock"],
): Promise<void> {
  const addressed = memberListeners(chooseListeners(options, config), options.join);
  const between = listenerBetween(addressed, config);
  if (!isClustered && speaksTls(between.protocol)) {
    throw refuse(
      `shards cannot meet on the listener ${between.name}, which speaks TLS`,
      "they are on one host, and know one another by a secret of their own",
      "give them one more: --listen INSIDE=127.0.0.1:9192 --set inter.broker.listener.name=INSIDE",
    );
  }
  const sources = { config, flags: options, logger: silentLogger, nowMs, between: between.name };
  const { listeners } = await secureListeners(addressed, sources);
  refuseInsecure(listeners, parseAdminAddress(options.admin ?? null), options);
}

function refuseForShards({ memory, dev }: ServeOptions): void {
  if (memory === true) refuseMemory();
  if (dev !== true) return;
  throw refuse(
    "--dev is not for shards",
    "faults and clocks are those of one broker",
    "leave out --dev, or --shards",
  );
}

function refuseMemory(): never {
  throw refuse(
    "shards cannot keep everything in memory",
    "one that is started again would have lost what it acknowledged",
    "leave out --memory, or --shards",
  );
}

/** The shards of a supervisor that was killed end by themselves, but not before they have finished. */
async function untilFree(plans: readonly ShardPlan[], { clock, disk }: Io): Promise<void> {
  const deadlineMs = clock.monotonicMs() + EARLIER_MS;
  for (const dir of plans.flatMap(({ dirs }) => dirs)) {
    while (disk.stat(dir) !== null) {
      const lock = disk.lock(`${dir}/${LOCK_FILE}`);
      lock?.release();
      // Whose it is the shard itself says.
      if (lock !== null || clock.monotonicMs() > deadlineMs) break;
      await sleep(clock, POLL_MS);
    }
  }
}

/** The controller, and what shards have to know of it. */
interface StartedController {
  readonly node: ControllerNode;
  readonly cluster: ShardCluster;
}

async function startController(
  io: Io,
  logger: Logger,
  texts: ReadonlyMap<string, string>,
  config: BrokerConfig,
  options: ServeOptions,
): Promise<StartedController> {
  const [dir = ""] = dataDirsOf(config);
  const listener = listenerBetween(chooseListeners(options, config), config).name;
  const secret = Buffer.from(io.random.bytes(SECRET_BYTES)).toString("base64url");
  const fatal = (error: Error) => die(logger, "the controller of the shards cannot go on", error);
  const node = await startControllerNode({
    ...{ io, logger },
    config: parseConfig(new Map([...texts, ["node.id", String(CONTROLLER_ID)]])),
    dataDirs: [controllerDir(dir)],
    codecs: bunCodecs,
    bind: { host: "127.0.0.1", port: 0 },
    interBrokerListener: listener,
    secrets: [secret],
    onBug: fatal,
    onStorageFailure: fatal,
  });
  const { clusterId, elected } = node;
  return { node, cluster: { clusterId, controller: elected, secret, listener } };
}

/** A shard that comes back with nothing would have lost all that only it had. */
function refuseLost(plans: readonly ShardPlan[], { metadata }: ControllerNode, { disk }: Io): void {
  const lost = plans.find(({ nodeId, dirs: [dir = ""] }) =>
    metadata.image.brokers.has(nodeId) && disk.stat(dir) === null
  );
  if (lost === undefined) return;
  throw new OperatorError(
    `${lost.name} has lost its data`,
    `it was broker ${lost.nodeId}, and there is no ${lost.dirs[0]}`,
    "put that directory back; if it is gone for good, make it empty, and what it had is lost",
  );
}

/** Starts all; the last one when the others serve, if it is to create topics, which go to all of them. */
async function startAll(
  plans: readonly ShardPlan[],
  { topic }: ServeOptions,
  cluster: ShardCluster | null,
  { io, logger }: { readonly io: Io; readonly logger: Logger },
  processes: ShardProcess[],
): Promise<ServingShard[]> {
  const others = (shard: ShardProcess) =>
    Promise.all(
      processes.filter((each) => each !== shard).map((each) => each.health(ANSWER_MS)),
    );
  const all = plans.map(({ name, nodeId, options, configs }, index) => {
    const handover = { name, options, configs, cluster };
    const topics = index === plans.length - 1 ? topic : [];
    return new ShardProcess({ clock: io.clock, logger, nodeId, handover, topics, others });
  });
  const last = topic.length > 0 ? all.slice(-1) : [];
  const first = all.slice(0, all.length - last.length);
  const serving: ServingShard[] = [];
  for (const group of [first, last]) {
    processes.push(...group);
    for (const each of group) each.start();
    serving.push(...await Promise.all(group.map(served)));
  }
  return serving;
}

async function served(shard: ShardProcess): Promise<ServingShard> {
  try {
    return { nodeId: shard.nodeId, process: shard, at: await shard.ready };
  } catch (error) {
    throw new OperatorError(
      `${shard.name} cannot serve`,
      `it has ended: ${error instanceof Error ? error.message : String(error)}`,
      "see its own line above",
    );
  }
}
