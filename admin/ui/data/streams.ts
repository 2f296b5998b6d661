/** What applications of streams tell, as the pages show it. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Answer } from "./model.ts";

export type ApplicationItem = Answer<"/v1/streams">["applications"][number];
export type ApplicationView = Answer<"/v1/streams/:application">;
export type Live = NonNullable<ApplicationView["live"]>;
export type LiveNode = Live["topology"]["subtopologies"][number]["nodes"][number];
export type NodeFigures = Live["nodes"][string];

const NOTHING: NodeFigures = { in: 0, out: 0, errored: 0, dropped: {} };

export function figuresOf(live: Live, node: string): NodeFigures {
  return live.nodes[node] ?? NOTHING;
}

export function droppedOf({ dropped }: NodeFigures): number {
  return Object.values(dropped).reduce((sum, each) => sum + each, 0);
}

/** Records a second. */
export interface NodeRates {
  readonly in: number;
  readonly out: number;
}

/** By node; null: nothing is known yet. */
export type Rates = ReadonlyMap<string, NodeRates> | null;

/** What was counted when. */
export interface Sample {
  readonly ms: number;
  readonly live: Live;
}

const WINDOW_MS = 10_000;

/** The samples that rates are made of, with a new one; they begin anew where members come and go. */
export function withSample(before: readonly Sample[], next: Sample): readonly Sample[] {
  const kept = before.filter(({ ms, live }) =>
    next.ms - ms <= WINDOW_MS && whoTells(live) === whoTells(next.live)
  );
  const hasLess = kept.some(({ live }) =>
    Object.entries(live.nodes).some(([name, { in: came }]) => figuresOf(next.live, name).in < came)
  );
  return hasLess ? [next] : [...kept, next];
}

function whoTells({ members }: Live): string {
  return members.map(({ endpoint }) => endpoint ?? "").join(" ");
}

export function ratesOf(samples: readonly Sample[]): Rates {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.ms <= first.ms) return null;
  const perSecond = (now: number, then: number) => ((now - then) * 1000) / (last.ms - first.ms);
  return new Map(
    Object.entries(last.live.nodes).map(([name, now]) => {
      const then = figuresOf(first.live, name);
      return [name, { in: perSecond(now.in, then.in), out: perSecond(now.out, then.out) }] as const;
    }),
  );
}

/** Rates of the last ten seconds that the page was looked at. */
export function useRates(live: Live | null): Rates {
  const samples = useRef<readonly Sample[]>([]);
  const [rates, setRates] = useState<Rates>(null);
  useEffect(() => {
    if (live === null) return;
    samples.current = withSample(samples.current, { ms: performance.now(), live });
    setRates(ratesOf(samples.current));
  }, [live]);
  return rates;
}

/** Of what is slow a decimal is enough. */
export function rounded(value: number | undefined): number | null {
  return value === undefined ? null : value < 10 ? Math.round(value * 10) / 10 : Math.round(value);
}

/** What of changelogs is still to be read into stores, and how long that will take. */
export function restoreOf({ members }: Live): { readonly left: number; readonly leftMs: number } {
  const all = members.flatMap(({ restoring }) => restoring);
  return {
    left: all.reduce((sum, { left }) => sum + left, 0),
    leftMs: Math.max(0, ...all.map(({ leftMs }) => leftMs ?? 0)),
  };
}

/** Steps that read or write topics which are not the application's own. */
function outerNodes(live: Live, kind: "source" | "sink"): LiveNode[] {
  const own = new Set(live.topology.repartitionTopics.map(({ name }) => name));
  return live.topology.subtopologies.filter(({ isGlobal }) => !isGlobal).flatMap(({ nodes }) =>
    nodes
  )
    .filter((node) =>
      node.kind === kind &&
      (node.kind === "source"
        ? node.topics.some((topic) => !own.has(topic))
        : node.kind === "sink" && (node.topic === null || !own.has(node.topic)))
    );
}

/** What comes into the application, and what it writes for others, a second. */
export function flowOf(live: Live, rates: Rates): NodeRates | null {
  if (rates === null) return null;
  const sum = (kind: "source" | "sink", side: "in" | "out") =>
    outerNodes(live, kind).reduce((all, { name }) => all + (rates.get(name)?.[side] ?? 0), 0);
  return { in: sum("source", "in"), out: sum("sink", "out") };
}

/** Where tasks are. */
export interface TaskCounts {
  readonly all: number;
  readonly running: number;
  readonly opening: number;
  readonly standby: number;
}

export function taskCountsOf({ taskCounts, members }: Live): TaskCounts {
  const sum = (of: (member: Live["members"][number]) => readonly string[]) =>
    members.reduce((all, member) => all + of(member).length, 0);
  return {
    all: Object.values(taskCounts).reduce((all, each) => all + each, 0),
    running: sum(({ running }) => running),
    opening: sum(({ opening }) => opening),
    standby: sum(({ standby }) => standby),
  };
}

/**
 * Records that are still to come of topics, as their tasks say; null: not known. `topics`: as the
 * topology has them, so without the application's id where they are its own; a pattern, `/orders-.*\/`,
 * stands for those of others that it matches.
 */
export function lagOfTopics(
  { application, members, topology }: Live,
  topics: readonly string[],
): number | null {
  const own = new Set(topology.repartitionTopics.map(({ name }) => name));
  const full = (topic: string) => own.has(topic) ? `${application}-${topic}` : topic;
  const names = new Set(topics.map(full));
  const ownNames = new Set([...own].map(full));
  const patterns = topics.flatMap((topic) => patternOf(topic) ?? []);
  const isRead = (topic: string) =>
    names.has(topic) ||
    (!ownNames.has(topic) && patterns.some((pattern) => pattern.test(topic)));
  const lags = members.flatMap(({ sources }) => sources)
    .filter(({ topic }) => isRead(topic)).map(({ lag }) => lag);
  const known = lags.filter((lag) => lag !== null);
  return known.length === 0 ? null : known.reduce((sum, lag) => sum + lag, 0);
}

/** Of whole names. Null: it is the name of a topic, which has no slash. */
function patternOf(text: string): RegExp | null {
  const [, pattern, flags] = /^\/(.*)\/([a-z]*)$/s.exec(text) ?? [];
  return pattern === undefined ? null : new RegExp(`^(?:${pattern})$`, flags?.replace(/[gy]/g, ""));
}
