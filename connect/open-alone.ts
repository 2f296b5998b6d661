/** Puts together a worker that is alone: what it is told to run lives as long as it does. */
import { Admin } from "../client/admin.ts";
import type { ClientIo, ClientOptions } from "../client/options.ts";
import type { Codecs } from "../core/compression/codec.ts";
import type { Logger } from "../core/logger.ts";
import type { SecretSources } from "./config/secrets.ts";
import { AloneMembership } from "./group/membership.ts";
import type { Peer } from "./group/membership.ts";
import { ConfigStore } from "./herder/config-store.ts";
import { LogLevels } from "./herder/log-levels.ts";
import { NO_LINK } from "./herder/leader-link.ts";
import type { RestartPolicy } from "./herder/restarts.ts";
import { SessionKeys } from "./herder/session-keys.ts";
import { StatusStore } from "./herder/status-store.ts";
import { WorkerHerder } from "./herder/worker-herder.ts";
import { MemoryLog } from "./log/record-log.ts";
import type { OffsetStore } from "./offsets/offset-store.ts";
import type { Hosts } from "./host/host.ts";
import { makeWorker } from "./host/spread-worker.ts";
import { ConnectorCatalog } from "./plugins/catalog.ts";
import type { Plugins } from "./plugins/plugins.ts";
import { pipelineOf } from "./worker/pipeline-of.ts";
import type { StatusListener, TaskId } from "./worker/status.ts";

export interface AloneOptions {
  readonly io: ClientIo;
  readonly client: ClientOptions;
  readonly codecs: Codecs;
  readonly logger: Logger;
  readonly plugins: Plugins;
  /** Where connectors run that do not run here; null: all do. */
  readonly hosts: Hosts | null;
  readonly secrets: SecretSources;
  /** Closed with the worker. */
  readonly offsets: OffsetStore;
  readonly offsetFlushIntervalMs: number;
  readonly taskShutdownTimeoutMs: number;
  readonly restarts: RestartPolicy;
  /** Hears of states, and of sources that have come to their end. */
  readonly heard: Pick<StatusListener, "task" | "connector"> & { finished(id: TaskId): void };
}

/** Names its transactional ids; one alone has no group. */
const GROUP_ID = "connect-standalone";
const SELF: Peer = { workerId: "standalone", url: "" };

/** A herder that is to be started, and closed. */
export function openAloneWorker(options: AloneOptions): WorkerHerder {
  const { io, client, codecs, logger, plugins, offsets, heard } = options;
  const { offsetFlushIntervalMs, taskShutdownTimeoutMs } = options;
  const wallMs = () => io.clock.wallMs();
  const withAdmin = async <T>(body: (admin: Admin) => Promise<T>): Promise<T> => {
    const admin = new Admin(io, client);
    try {
      return await body(admin);
    } finally {
      admin.close();
    }
  };
  const settings = { groupId: GROUP_ID, offsetFlushIntervalMs, taskShutdownTimeoutMs };
  return new WorkerHerder({
    clock: io.clock,
    logger,
    configs: new ConfigStore(new MemoryLog(wallMs), logger),
    statuses: new StatusStore(new MemoryLog(wallMs), logger),
    plugins: new ConnectorCatalog(plugins),
    levels: new LogLevels(wallMs),
    self: SELF,
    makeWorker: (listener) =>
      makeWorker({
        world: { io, client, codecs, offsets, log: logger, settings },
        plugins,
        secrets: options.secrets,
        pipelineOf,
        listener: alsoHeard(listener, heard),
        // Whether they are there has been asked before; and they may come.
        isOffline: true,
      }, options.hosts),
    makeMembership: (events) => new AloneMembership(SELF, events),
    link: NO_LINK,
    sessionKeys: new SessionKeys(io.clock, io.random),
    restarts: options.restarts,
    clusterId: () => withAdmin(async (admin) => (await admin.describeCluster()).clusterId),
    fenceProducers: (ids) =>
      withAdmin(async (admin) => {
        await Promise.all(ids.map((id) => admin.transactions.terminate(id)));
      }),
    transactionalId: (connector, task) => `${GROUP_ID}-${connector}-${task}`,
    onFatal: (error) => logger.error("the worker has failed", { error: error.message }),
  });
}

function alsoHeard(listener: StatusListener, heard: AloneOptions["heard"]): StatusListener {
  return {
    connector: (name, status) => {
      listener.connector(name, status);
      heard.connector(name, status);
    },
    task: (id, status) => {
      listener.task(id, status);
      heard.task(id, status);
    },
    changed: (name) => listener.changed(name),
    topic: (connector, topic, task) => listener.topic(connector, topic, task),
    finished: (id) => {
      listener.finished?.(id);
      heard.finished(id);
    },
  };
}
