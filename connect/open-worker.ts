/** Puts a worker together: its topics, its membership, what runs tasks, and its REST API. */
import { Admin } from "../client/admin.ts";
import type { ClientIo, ClientOptions } from "../client/options.ts";
import type { Codecs } from "../core/compression/codec.ts";
import type { HttpTls, ServeHttp } from "../core/io/http.ts";
import type { HostPort } from "../core/io.ts";
import type { Logger, LogLevel } from "../core/logger.ts";
import type { RawConfig } from "./config/parse.ts";
import type { SecretSources } from "./config/secrets.ts";
import { GroupMembership, type GroupSettings } from "./group/group-membership.ts";
import type { Peer } from "./group/membership.ts";
import { ConfigStore } from "./herder/config-store.ts";
import { LogLevels } from "./herder/log-levels.ts";
import type { RestartPolicy } from "./herder/restarts.ts";
import { SessionKeys } from "./herder/session-keys.ts";
import { StatusStore } from "./herder/status-store.ts";
import { WorkerHerder } from "./herder/worker-herder.ts";
import { TopicLog } from "./log/topic-log.ts";
import { openTopicOffsets } from "./offsets/open-topic-offsets.ts";
import type { TopicOffsetStore } from "./offsets/topic-offset-store.ts";
import type { Hosts } from "./host/host.ts";
import { makeWorker } from "./host/spread-worker.ts";
import { ConnectorCatalog } from "./plugins/catalog.ts";
import { otherPlugins } from "./plugins/other-plugins.ts";
import type { Plugins } from "./plugins/plugins.ts";
import { restApp } from "./rest/app.ts";
import type { BasicUsers } from "./rest/basic-users.ts";
import { type AskHttp, HttpLeaderLink } from "./rest/http-peer.ts";
import { startRestServer } from "./rest/server.ts";
import type { Pipeline } from "./runtime/pipeline.ts";

/** A topic of the group, with what it is made with where it is missing. */
export interface GroupTopic {
  readonly topic: string;
  readonly partitions: number;
  /** −1: as the brokers have it. */
  readonly replicationFactor: number;
}

export interface RestOptions {
  readonly serveHttp: ServeHttp;
  readonly at: HostPort;
  readonly tls: HttpTls | null;
  readonly users: BasicUsers | null;
  readonly ask: AskHttp;
  /** Where other workers find it; null: where it listens. */
  readonly advertised: HostPort | null;
  readonly version: string;
  readonly commit: string;
}

export interface GroupWorkerOptions {
  readonly io: ClientIo;
  readonly client: ClientOptions;
  readonly codecs: Codecs;
  /** Writes everything: what is shown is for `levels`. */
  readonly logger: Logger;
  /** Of the root, at first. Default info. */
  readonly logLevel?: LogLevel;
  readonly plugins: Plugins;
  /** Where connectors run that do not run here; null: all do. */
  readonly hosts: Hosts | null;
  readonly secrets: SecretSources;
  readonly pipelineOf: (raw: RawConfig) => Pipeline;
  readonly group: GroupSettings;
  readonly topics: Readonly<Record<"config" | "status" | "offset", GroupTopic>>;
  /** Whether the leader writes in transactions, so that one of before is fenced. */
  readonly isExactlyOnce: boolean;
  readonly offsetFlushIntervalMs: number;
  readonly taskShutdownTimeoutMs: number;
  readonly restarts: RestartPolicy;
  readonly rest: RestOptions;
  readonly onFatal: (error: Error) => void;
}

/** A worker of a group, from its start on. */
export interface OpenWorker {
  readonly herder: WorkerHerder;
  /** Where its REST API listens. */
  readonly address: HostPort;
  close(): Promise<void>;
}

/** Starts a worker of a group. Throws `OperatorError` and what clients throw. */
export async function openGroupWorker(options: GroupWorkerOptions): Promise<OpenWorker> {
  const { io, logger: base, rest } = options;
  const levels = new LogLevels(() => io.clock.wallMs(), options.logLevel);
  const logger = levels.logger("connect", base);
  let app: ReturnType<typeof restApp> | null = null;
  const hasUsers = rest.users !== null;
  const listener = startRestServer({ ...rest, hasUsers, app: () => app });
  const { address } = listener;
  const at = rest.advertised ?? address;
  const workerId = `${at.host}:${at.port}`;
  const self: Peer = { workerId, url: `http${rest.tls === null ? "" : "s"}://${workerId}/` };
  const parts = await openStores(options, logger).catch(async (error: unknown) => {
    await listener.close();
    throw error;
  });
  const { configs, statuses, offsets } = parts;
  const sessionKey = () => configs.state.sessionKey;
  const herder = makeHerder({ ...options, logger }, { ...parts, levels, self });
  app = restApp({
    ...rest,
    herder,
    clock: io.clock,
    logger,
    ownName: rest.at.host,
    sessionKey,
  });
  const close = async () => {
    await listener.close();
    // The worker in it closes the store of offsets.
    await herder.close();
  };
  try {
    await herder.start();
  } catch (error) {
    await Promise.all([listener.close(), configs.close(), statuses.close(), offsets.close()]);
    throw error;
  }
  return { herder, address, close };
}

interface Stores {
  readonly configs: ConfigStore;
  readonly statuses: StatusStore;
  readonly offsets: TopicOffsetStore;
}

/** The topics of the group. That of offsets is read here, the others by the herder. */
async function openStores(options: GroupWorkerOptions, logger: Logger): Promise<Stores> {
  const { io, client, codecs, topics, group, isExactlyOnce } = options;
  const common = { client, codecs, logger };
  const configLog = new TopicLog(io, {
    ...common,
    ...topics.config,
    purpose: "config",
    isSinglePartition: true,
    isCommittedOnly: isExactlyOnce,
    ...(isExactlyOnce && { transactionalId: `connect-cluster-${group.groupId}` }),
  });
  const statusLog = new TopicLog(io, { ...common, ...topics.status, purpose: "status" });
  const offsets = await openTopicOffsets({ io, client, codecs, log: logger }, topics.offset);
  return {
    configs: new ConfigStore(configLog, logger),
    statuses: new StatusStore(statusLog, logger),
    offsets,
  };
}

function makeHerder(
  options: GroupWorkerOptions,
  { configs, statuses, offsets, levels, self }: Stores & { levels: LogLevels; self: Peer },
): WorkerHerder {
  const { io, client, codecs, logger, plugins, group, rest } = options;
  const { groupId } = group;
  const { offsetFlushIntervalMs, taskShutdownTimeoutMs } = options;
  const withAdmin = async <T>(body: (admin: Admin) => Promise<T>): Promise<T> => {
    const admin = new Admin(io, client);
    try {
      return await body(admin);
    } finally {
      admin.close();
    }
  };
  return new WorkerHerder({
    clock: io.clock,
    logger,
    configs,
    statuses,
    plugins: new ConnectorCatalog(plugins, otherPlugins(options.rest.version)),
    levels,
    self,
    makeWorker: (listener) =>
      makeWorker({
        world: {
          io,
          client,
          codecs,
          offsets,
          log: logger,
          settings: { groupId, offsetFlushIntervalMs, taskShutdownTimeoutMs },
        },
        plugins,
        secrets: options.secrets,
        pipelineOf: options.pipelineOf,
        listener,
      }, options.hosts),
    makeMembership: (events) => new GroupMembership(io, client, self, group, events),
    link: new HttpLeaderLink(io.clock, rest.ask, () => configs.state.sessionKey),
    sessionKeys: new SessionKeys(io.clock, io.random),
    restarts: options.restarts,
    clusterId: () => withAdmin(async (admin) => (await admin.describeCluster()).clusterId),
    fenceProducers: (ids) =>
      withAdmin(async (admin) => {
        await Promise.all(ids.map((id) => admin.transactions.terminate(id)));
      }),
    transactionalId: (connector, task) => `${groupId}-${connector}-${task}`,
    onFatal: options.onFatal,
  });
}
