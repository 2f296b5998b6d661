/** What it means for an application that runs to go on with another topology. */
import type {
  DescribedRepartition,
  DescribedSink,
  DescribedSource,
  DescribedStore,
  DescribedTypes,
  TopologyDescription,
} from "../../core/streams/topology-description.ts";

/**
 * How bad a change is. `reset`: what is stored or under way cannot be read any more, or would be wrong,
 * so that the application has to be reset. `orphan`: something stays behind that nobody uses. `begin`:
 * something begins empty, or without what was before. `note`: all goes on.
 */
export type ChangeEffect = "reset" | "orphan" | "begin" | "note";

export interface TopologyChange {
  readonly effect: ChangeEffect;
  readonly what: "store" | "repartition topic" | "input topic" | "output topic" | "topology";
  readonly name: string;
  /** What has changed, and what comes of it. */
  readonly detail: string;
}

/** In the order of the effects above; none: the two are the same for all that outlives a member. */
export function topologyChanges(
  before: TopologyDescription,
  after: TopologyDescription,
): TopologyChange[] {
  const changes = [
    ...compare(before.stores, after.stores, STORE),
    ...compare(before.repartitionTopics, after.repartitionTopics, REPARTITION),
    ...compare(inputsOf(before), inputsOf(after), INPUT),
    ...compare(outputsOf(before), outputsOf(after), OUTPUT),
    ...renumbered(before, after),
  ];
  return changes.sort((a, b) => EFFECTS.indexOf(a.effect) - EFFECTS.indexOf(b.effect));
}

const EFFECTS: readonly ChangeEffect[] = ["reset", "orphan", "begin", "note"];

type Said = readonly [effect: ChangeEffect, detail: string];

/** How things of a kind are compared. */
interface Kind<T extends { readonly name: string }> {
  readonly what: TopologyChange["what"];
  readonly added: (thing: T) => Said;
  readonly removed: (thing: T) => Said;
  readonly changed: (before: T, after: T) => readonly Said[];
}

function compare<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
  { what, added, removed, changed }: Kind<T>,
): TopologyChange[] {
  const olds = new Map(before.map((thing) => [thing.name, thing]));
  const news = new Map(after.map((thing) => [thing.name, thing]));
  const of = (name: string, [effect, detail]: Said) => ({ effect, what, name, detail });
  return [
    ...before.filter(({ name }) => !news.has(name)).map((thing) => of(thing.name, removed(thing))),
    ...after.flatMap((thing) => {
      const old = olds.get(thing.name);
      const said = old === undefined ? [added(thing)] : changed(old, thing);
      return said.map((each) => of(thing.name, each));
    }),
  ];
}

const STORE: Kind<DescribedStore> = {
  what: "store",
  added: ({ isGlobal }) =>
    isGlobal
      ? ["note", "is new: it is filled from its topic before tasks begin"]
      : ["begin", "is new: it begins empty, and gets what is processed from now on"],
  removed: ({ changelog }) =>
    changelog === null
      ? ["note", "is gone: it had no changelog"]
      : ["orphan", `is gone: topic APP-${changelog} is left over`],
  changed: storeChanges,
};

const LET_GO = "entries are let go of accordingly; the changelog keeps its retention.ms";

/** What of a store's shape may change, and what comes of it. */
const HARMLESS: Readonly<Record<string, string>> = {
  retentionMs: LET_GO,
  historyRetentionMs: LET_GO,
  ttlMs: LET_GO,
  isTimeOrdered: "it is restored from its changelog once",
};

function storeChanges(before: DescribedStore, after: DescribedStore): Said[] {
  const said: Said[] = [];
  if (before.kind !== after.kind) {
    return [["reset", `was a ${before.kind} store and is a ${after.kind} store now`]];
  }
  for (const change of typeChanges(before, after)) {
    said.push(["reset", `${change}: what it has cannot be read`]);
  }
  for (const name of new Set([...Object.keys(before.shape), ...Object.keys(after.shape)])) {
    const [old, now] = [before.shape[name] ?? false, after.shape[name] ?? false];
    if (old === now) continue;
    const then = HARMLESS[name];
    const effect = then === undefined ? "reset" : "note";
    const what = then ?? "what it has was made otherwise";
    said.push([effect, `${name} was ${old} and is ${now}: ${what}`]);
  }
  if (before.changelog !== after.changelog) {
    said.push(
      after.changelog === null
        ? ["orphan", `is not logged any more: topic APP-${before.changelog} is left over`]
        : ["begin", "is logged now: what it has had before is not in its changelog"],
    );
  } else if (!sameConfigs(before.changelogConfigs, after.changelogConfigs)) {
    said.push(["note", "other changelog configs: a topic that is there keeps those it has"]);
  }
  if (before.isCached !== after.isCached) {
    said.push([
      "note",
      after.isCached
        ? "is cached now: fewer changes of a key are seen behind it"
        : "is not cached any more: every change is seen behind it",
    ]);
  }
  return said;
}

function sameConfigs(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): boolean {
  const names = Object.keys({ ...one, ...other });
  return names.every((name) => one[name] === other[name]);
}

const REPARTITION: Kind<DescribedRepartition> = {
  what: "repartition topic",
  added: () => ["begin", "is new: records come through it from now on"],
  removed: ({ name }) => [
    "orphan",
    `is gone: topic APP-${name} is left over, with what was not yet processed`,
  ],
  changed: (before, after) => [
    ...(before.partitions === after.partitions ? [] : [
      [
        "reset",
        `had ${countOf(before)} and has ${countOf(after)} now: keys come to other tasks`,
      ] as const,
    ]),
    ...typeChanges(before, after).map((change) =>
      ["reset", `${change}: what was not yet processed cannot be read`] as const
    ),
  ],
};

function countOf({ partitions }: DescribedRepartition): string {
  return partitions === null ? "as many partitions as its input" : `${partitions} partitions`;
}

type NamedTopic<T> = T & { readonly name: string };

const INPUT: Kind<NamedTopic<DescribedSource>> = {
  what: "input topic",
  added: ({ offsetReset }) => [
    "begin",
    `is new: read from ${offsetReset === null ? "auto.offset.reset" : `the ${offsetReset}`} on`,
  ],
  removed: () => ["note", "is not read any more; the group keeps its offsets for a while"],
  changed: (before, after) => [
    ...typeChanges(before, after).map((change) => ["note", change] as const),
    ...(before.offsetReset === after.offsetReset ? [] : [
      [
        "note",
        `offsetReset was ${before.offsetReset} and is ${after.offsetReset}: only for partitions without offsets`,
      ] as const,
    ]),
  ],
};

const OUTPUT: Kind<NamedTopic<DescribedSink>> = {
  what: "output topic",
  added: () => ["note", "is new"],
  removed: () => ["note", "is not written any more"],
  changed: (before, after) =>
    typeChanges(before, after).map((change) =>
      ["note", `${change}: who reads it has to know`] as const
    ),
};

/** A serde without a name is one of the author's own, of which nothing is known. */
function typeChanges(before: DescribedTypes, after: DescribedTypes): string[] {
  return (["key", "value"] as const).flatMap((part) => {
    const [old, now] = [before[part], after[part]];
    if (old === now) return [];
    return [
      `${part}s were ${old ?? "of a serde of its own"} and are ${now ?? "of a serde of its own"}`,
    ];
  });
}

function inputsOf(description: TopologyDescription): NamedTopic<DescribedSource>[] {
  const internal = new Set(description.repartitionTopics.map(({ name }) => name));
  return nodesOf(description).flatMap((node) =>
    node.kind === "source"
      ? node.topics.filter((topic) => !internal.has(topic)).map((name) => ({ ...node, name }))
      : []
  );
}

function outputsOf(description: TopologyDescription): NamedTopic<DescribedSink>[] {
  const internal = new Set(description.repartitionTopics.map(({ name }) => name));
  const sinks = nodesOf(description).flatMap((node) => {
    if (node.kind !== "sink" || node.topic === null || internal.has(node.topic)) return [];
    return [{ ...node, name: node.topic }];
  });
  return [...new Map(sinks.map((sink) => [sink.name, sink])).values()];
}

function nodesOf({ subtopologies }: TopologyDescription) {
  return subtopologies.flatMap(({ isGlobal, nodes }) => isGlobal ? [] : nodes);
}

/** Tasks are called by the number of their subtopology, and so are the folders of their state. */
function renumbered(before: TopologyDescription, after: TopologyDescription): TopologyChange[] {
  const olds = placesOf(before);
  const moved = [...placesOf(after)].flatMap(([store, id]) => {
    const old = olds.get(store);
    return old === undefined || old === id ? [] : [{ store, old, id }];
  });
  if (moved.length === 0) return [];
  const stores = moved.map(({ store, old, id }) => `${store} (${old} → ${id})`).join(", ");
  return [{
    effect: "note",
    what: "topology",
    name: "subtopologies",
    detail: `have other numbers: restored from changelogs once: ${stores}`,
  }];
}

/** By store: the number of its subtopology. */
function placesOf({ subtopologies }: TopologyDescription): Map<string, number> {
  return new Map(
    subtopologies.filter(({ isGlobal }) => !isGlobal).flatMap(({ id, nodes }) =>
      nodes.flatMap((node) =>
        node.kind === "processor" ? node.stores.map((name) => [name, id] as const) : []
      )
    ),
  );
}
