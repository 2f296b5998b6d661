/** Puts share groups into a broker: their coordinator, their membership, and their fetching. */
import type { GroupCoordinator } from "../coordinator/group/group-coordinator.ts";
import { ShareGroupCoordinator } from "../coordinator/group/share/share-group-coordinator.ts";
import { abandonFenced } from "../cluster/request-batches.ts";
import type { Peers } from "../cluster/peers.ts";
import { PersisterRouter } from "../coordinator/share/persister-router.ts";
import { RemotePersister } from "../coordinator/share/remote-persister.ts";
import type { ShareCoordinator, SharePersister } from "../coordinator/share/share-coordinator.ts";
import {
  type ShareCoordinatorServices,
  startShareCoordinator,
} from "../coordinator/share/start.ts";
import type { PartitionSet } from "../partition-set.ts";
import { shareConfigOf } from "./share-config.ts";
import { SharePartitions } from "./share-partitions.ts";
import { ShareService } from "./share-service.ts";
import { ShareSessions } from "./share-sessions.ts";

/** What a broker has for share groups. */
export interface ShareServices {
  /** What is persisted of share partitions. */
  readonly shareStates: ShareCoordinator;
  /** Membership and offsets of share groups. */
  readonly shareGroups: ShareGroupCoordinator;
  /** Sessions of share consumers, and what they have in hand. */
  readonly shares: ShareService;
}

/** What of a broker they need. */
export interface ShareGroupsOptions extends ShareCoordinatorServices {
  readonly partitions: PartitionSet;
  readonly groups: GroupCoordinator;
  /** The other brokers; null where there are none. */
  readonly peers: Peers | null;
}

/** The partitions have to follow the image before this does. */
export function startShareGroups(options: ShareGroupsOptions): ShareServices {
  const { groups } = options;
  const shareStates = startShareCoordinator(options);
  const persister = sharePersister(options, shareStates);
  const shares = shareService(options, persister);
  const shareGroups = new ShareGroupCoordinator({
    groups,
    persister,
    forgetGroup: (groupId) => shares.forgetGroup(groupId),
  });
  return { shareStates, shareGroups, shares };
}

/** Where state is kept: here alone where there are no other brokers. */
function sharePersister(
  { config, io, metadata, peers }: ShareGroupsOptions,
  local: ShareCoordinator,
): SharePersister {
  if (peers === null) return local;
  const remote = new RemotePersister({ peers, timeoutMs: () => config.get("request.timeout.ms") });
  abandonFenced(metadata, remote.calls);
  return new PersisterRouter({
    clock: io.clock,
    nodeId: metadata.nodeId,
    local,
    remote,
    timeoutMs: () => config.get("share.coordinator.write.timeout.ms"),
  });
}

function shareService(options: ShareGroupsOptions, persister: SharePersister): ShareService {
  const { io, logger, config, metadata, partitions: hosted } = options;
  const configOf = (groupId: string) =>
    shareConfigOf(config, metadata.image.configs("group", groupId));
  const partition = (topicId: string, index: number) => hosted.findById(topicId, index);
  const partitions = new SharePartitions({
    clock: options.timerClocks?.session ?? io.clock,
    logger,
    persister,
    config: configOf,
    partition,
  });
  metadata.onChange((delta) => {
    if (delta.deletedTopics.length > 0 || delta.changedTopics.length > 0) partitions.dropLost();
  });
  return new ShareService({
    clock: io.clock,
    sessions: new ShareSessions(() => config.get("group.share.max.share.sessions")),
    partitions,
    config: configOf,
    partition,
  });
}
