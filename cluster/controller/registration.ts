/**
 * Registrations of brokers and where they stand, as records for the metadata log: pure functions of the
 * image. After Kafka's `ClusterControlManager.registerBroker` and `ReplicationControlManager`; KIP-631,
 * KIP-966 for stops that were not clean.
 */
import { type ErrorCode, Errors } from "../../core/errors.ts";
import { isLoopback } from "../../core/ip-address.ts";
import type { Steps } from "../../core/steps.ts";
import type { BrokerImage, MetadataImage } from "../metadata-image.ts";
import type {
  BrokerEndpoint,
  BrokerRecord,
  FeatureRecord,
  MetadataRecord,
  RegisteredState,
  SupportedFeature,
} from "../metadata-records.ts";
import { type BrokerChange, type ElectionContext, partitionsAfter } from "./broker-changes.ts";

/** What the topics' configs say of elections; who is alive follows from the plan itself. */
export type ElectionPolicy = Omit<ElectionContext, "isAlive">;

/** A broker wants to be a member. */
export interface Registration {
  readonly brokerId: number;
  readonly clusterId: string;
  /** Of the start of its process. */
  readonly incarnationId: string;
  readonly rack: string | null;
  /** The machine; empty: not told. */
  readonly host: string;
  readonly endpoints: readonly BrokerEndpoint[];
  readonly features: readonly SupportedFeature[];
  /** The epoch of the registration under which it last stopped in good order; −1: it did not. */
  readonly previousEpoch: number;
  /** Ids of its data directories. */
  readonly logDirs: readonly string[];
}

/** What the plan has to know besides the image. */
export interface RegistrationContext extends ElectionPolicy {
  readonly clusterId: string;
  /** Whether the process that is registered now is there, as far as is known. */
  isHeard(brokerId: number): boolean;
  /** What the first broker of a cluster finalizes. */
  readonly firstFeatures: readonly FeatureRecord[];
}

/** What to write and the epoch of the registration, or why not. */
export type RegistrationOutcome =
  | { readonly ok: true; readonly records: readonly MetadataRecord[]; readonly epoch: number }
  | { readonly ok: false; readonly error: ErrorCode; readonly message: string };

const NOTHING: ReadonlyMap<number, RegisteredState> = new Map();

/**
 * A registration of the same process again keeps its epoch, since an answer may have been lost.
 * Another one gets a new epoch and begins fenced, so it leaves ISRs, and if it has not stopped in
 * good order, was unregistered meanwhile, or comes without a data directory that it had, the ELRs
 * too. Then it has to say what it has lost before it is unfenced (`planAssignments`).
 */
export function* planRegistration(
  image: MetadataImage,
  wanted: Registration,
  context: RegistrationContext,
): Steps<RegistrationOutcome> {
  const refusal = problemOf(image, wanted, context);
  if (refusal !== null) return refusal;
  const known = image.brokers.get(wanted.brokerId);
  const features = image.features.size === 0 ? context.firstFeatures : [];
  if (known?.incarnationId === wanted.incarnationId) {
    const { offlineDirs, lostDirs } = known;
    const record = recordOf(wanted, known.epoch, known.state, { offlineDirs, lostDirs });
    return { ok: true, records: isSame(known, record) ? [] : [record], epoch: known.epoch };
  }
  const epoch = image.position + 1;
  const { brokerId, previousEpoch } = wanted;
  const lostDirs = lostOf(known, wanted);
  const wasClean = known?.epoch === previousEpoch && lostDirs.length === 0;
  const ids = [brokerId];
  const left = wasClean ? { leaving: ids } : { unclean: ids };
  const partitions = yield* changesOf(image, { ...left, restarted: ids }, {
    ...{ context, states: new Map([[brokerId, "fenced"]]) },
  });
  const records = [recordOf(wanted, epoch, "fenced", { lostDirs }), ...features, ...partitions];
  return { ok: true, records, epoch };
}

/** The records that bring brokers to these states, with what becomes of partitions. */
export function* planStates(
  image: MetadataImage,
  states: ReadonlyMap<number, RegisteredState>,
  policy: ElectionPolicy,
): Steps<MetadataRecord[]> {
  const changed = [...states].flatMap(([id, state]): BrokerRecord[] => {
    const broker = image.brokers.get(id);
    if (broker === undefined || broker.state === state) return [];
    // Before it asks to be unfenced it has said what was in them.
    const { lostDirs: _said, ...rest } = broker;
    return [{ type: "broker", version: 1, ...(state === "active" ? rest : broker), state }];
  });
  if (changed.length === 0) return [];
  const inState = (isWanted: boolean) =>
    changed.filter(({ state }) => (state === "active") === isWanted).map(({ brokerId }) =>
      brokerId
    );
  const change = { leaving: inState(false), returning: inState(true) };
  return [...changed, ...yield* changesOf(image, change, { context: policy, states })];
}

/**
 * What the states of brokers, as they are, still have to do with partitions. It should be nothing, but
 * that the configs of elections may have changed since.
 */
export function* planElections(
  image: MetadataImage,
  policy: ElectionPolicy,
): Steps<MetadataRecord[]> {
  const brokers = [...image.brokers.values()];
  const leaving = brokers.filter(({ state }) => state !== "active").map(({ brokerId }) => brokerId);
  const returning = brokers.filter(({ state }) => state === "active")
    .map(({ brokerId }) => brokerId);
  return yield* changesOf(image, { leaving, returning }, { context: policy, states: NOTHING });
}

function changesOf(
  image: MetadataImage,
  change: BrokerChange,
  { context, states }: {
    readonly context: ElectionPolicy;
    readonly states: ReadonlyMap<number, RegisteredState>;
  },
): Steps<MetadataRecord[]> {
  return partitionsAfter(image, change, {
    isAlive: (id) => (states.get(id) ?? image.brokers.get(id)?.state) === "active",
    minInsync: (topic) => context.minInsync(topic),
    electsUncleanly: (topic) => context.electsUncleanly(topic),
  });
}

/** Directories that the broker had and does not bring, or is still to say of what was there. */
function lostOf(known: BrokerImage | undefined, { logDirs }: Registration): readonly string[] {
  const had = [...known?.logDirs ?? [], ...known?.lostDirs ?? []];
  return [...new Set(had)].filter((id) => !logDirs.includes(id));
}

function recordOf(
  wanted: Registration,
  epoch: number,
  state: RegisteredState,
  { offlineDirs = [], lostDirs = [] }: Pick<BrokerImage, "offlineDirs" | "lostDirs">,
): BrokerRecord {
  const { brokerId, incarnationId, rack, host, endpoints, features, logDirs } = wanted;
  return {
    type: "broker",
    version: 1,
    ...{ brokerId, incarnationId, epoch, state, rack, host, endpoints, features },
    ...(logDirs.length > 0 && { logDirs }),
    ...(offlineDirs.length > 0 && { offlineDirs }),
    ...(lostDirs.length > 0 && { lostDirs }),
  };
}

/** Records are plain values in a fixed order of fields, so that their texts can be compared. */
function isSame(known: BrokerImage, { type: _type, version: _version, ...wanted }: BrokerRecord) {
  const text = (broker: BrokerImage) =>
    JSON.stringify(Object.entries(broker).sort(([a], [b]) => a < b ? -1 : 1));
  return text(known) === text(wanted);
}

type Refusal = Extract<RegistrationOutcome, { readonly ok: false }>;

const refuse = (error: ErrorCode, message: string): Refusal => ({ ok: false, error, message });

function problemOf(
  image: MetadataImage,
  wanted: Registration,
  context: RegistrationContext,
): Refusal | null {
  const { brokerId, clusterId } = wanted;
  if (clusterId !== context.clusterId) {
    const why = `This is the cluster ${context.clusterId}, and broker ${brokerId} belongs to ` +
      `${clusterId === "" ? "none" : `the cluster ${clusterId}`}.`;
    return refuse(Errors.INCONSISTENT_CLUSTER_ID, why);
  }
  const known = image.brokers.get(brokerId);
  const isOther = known !== undefined && known.incarnationId !== wanted.incarnationId;
  if (isOther && context.isHeard(brokerId)) {
    const why = `Another process is registered as broker ${brokerId}` +
      `${at(known)}, and was heard of within its session.`;
    return refuse(Errors.DUPLICATE_BROKER_REGISTRATION, why);
  }
  return featureProblem(image, wanted) ?? addressProblem(image, wanted);
}

const at = ({ endpoints: [first] }: BrokerImage) =>
  first === undefined ? "" : ` (at ${first.host}:${first.port})`;

function featureProblem(image: MetadataImage, wanted: Registration): Refusal | null {
  for (const [name, level] of image.features) {
    if (level === 0) continue;
    const supported = wanted.features.find((feature) => feature.name === name);
    if (supported !== undefined && supported.minLevel <= level && level <= supported.maxLevel) {
      continue;
    }
    const range = supported === undefined
      ? "does not know it"
      : `knows levels ${supported.minLevel} to ${supported.maxLevel}`;
    const why = `The cluster has finalized ${name} at level ${level}, and broker ` +
      `${wanted.brokerId} ${range}.`;
    return refuse(Errors.UNSUPPORTED_VERSION, why);
  }
  return null;
}

/** Addresses by which others cannot find the broker. */
function addressProblem(image: MetadataImage, wanted: Registration): Refusal | null {
  const no = (why: string) => refuse(Errors.INVALID_REQUEST, why);
  const { brokerId, endpoints } = wanted;
  if (endpoints.length === 0) return no(`Broker ${brokerId} has no address.`);
  for (const { name, host } of endpoints) {
    if (["", "0.0.0.0", "::", "[::]"].includes(host)) {
      return no(
        `Nobody can connect to ${host === "" ? "an empty address" : host}, which ${name} ` +
          `of broker ${brokerId} advertises.`,
      );
    }
    for (const other of image.brokers.values()) {
      const theirs = other.endpoints.find((endpoint) => endpoint.name === name);
      // Who is fenced may be the next one to be put right.
      if (other.brokerId === brokerId || other.state === "fenced") continue;
      if (theirs === undefined || isLoopback(theirs.host) === isLoopback(host)) continue;
      const ours = { brokerId, host };
      const others = { brokerId: other.brokerId, host: theirs.host };
      const [local, remote] = isLoopback(host) ? [ours, others] : [others, ours];
      return no(
        `Broker ${local.brokerId} advertises ${local.host} for ${name}, where broker ` +
          `${remote.brokerId} at ${remote.host} cannot reach it.`,
      );
    }
  }
  return null;
}
