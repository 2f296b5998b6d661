/** `kstream stream describe --live`: an application as it runs, told by one of its members for all of them. */
import { OperatorError } from "../../core/operator-error.ts";
import {
  droppedOf,
  type LiveApplication,
  type NodeFigures,
  type StoreFigures,
} from "../../core/streams/live-application.ts";
import { liveApplicationSchema } from "../../core/streams/schemas.ts";
import type { DescribedNode } from "../../core/streams/topology-description.ts";
import { LIVE_PATH } from "../../stream/queries/live-view.ts";
import { descriptionMermaid } from "../../stream/topology/description-text.ts";
import { count, formatBytes, formatTable, print, printJson } from "../output.ts";
import { duration } from "../progress.ts";
import { askTrusting } from "../ask-trusting.ts";
import { readAuthorities } from "../http-tls.ts";
import { queryToken } from "../query-token.ts";
import { reasonOf } from "../reason.ts";
import { jsonOf, urlBelow, webAddress } from "../web-address.ts";
import type { Format } from "./describe.ts";

export interface LiveOptions {
  /** Where a member answers queries. */
  readonly live: string;
  /** A file. */
  readonly queriesToken?: string | undefined;
  readonly queriesCa?: string | undefined;
  readonly format: Format;
  /** Seconds. */
  readonly timeout: number;
}

const ADDRESS = { flag: "--live", what: "a member's queries", example: "http://127.0.0.1:8090" };
const NOTHING: NodeFigures = { in: 0, out: 0, errored: 0, dropped: {} };

/** See the head of the file. Throws an `OperatorError`. */
export async function describeLive(options: LiveOptions): Promise<void> {
  const live = await ask(options);
  switch (options.format) {
    case "json":
      return await printJson(live);
    case "mermaid":
      return await print(descriptionMermaid(live.topology, (node) => flowText(live, node)));
    case "text":
      return await print(liveText(live));
  }
}

async function ask(
  { live, queriesToken, queriesCa, timeout }: LiveOptions,
): Promise<LiveApplication> {
  // What `run` prints is where stores are asked.
  const address = webAddress(live.replace(/\/stores\/*$/, ""), ADDRESS);
  const { origin } = address.base;
  const token = queriesToken === undefined ? null : queryToken(queriesToken, "--queries-token");
  const ca = queriesCa === undefined
    ? null
    : readAuthorities("members cannot be asked", queriesCa, "--queries-ca");
  const { status, text } = await get(urlBelow(address, LIVE_PATH), timeout, token, ca);
  const parsed = liveApplicationSchema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  if (status === 401) {
    throw new OperatorError(`${origin} asks for a token`, "", "name its file with --queries-token");
  }
  if (status === 503) {
    throw new OperatorError(`${origin} cannot answer now`, "it is starting, or busy", "ask again");
  }
  throw new OperatorError(
    `what answers at ${origin} is no member of an application`,
    `it answers ${LIVE_PATH} with HTTP ${status}`,
    "give the address that kstream stream run --queries has",
  );
}

async function get(url: URL, timeout: number, token: string | null, ca: string | null) {
  try {
    const answer = await askTrusting(ca)(url.href, {
      redirect: "manual",
      signal: AbortSignal.timeout(timeout * 1000),
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    throw new OperatorError(
      `no member answers at ${url.origin}`,
      reasonOf(error),
      "run one with kstream stream run --queries HOST:PORT, or say where it is with --live",
      3,
    );
  }
}

function flowText({ nodes }: LiveApplication, name: string): string {
  const figures = nodes[name] ?? NOTHING;
  const dropped = droppedOf(figures);
  return [
    `${figures.in} in, ${figures.out} out`,
    ...(dropped === 0 ? [] : [`${dropped} left out`]),
    ...(figures.errored === 0 ? [] : [`${figures.errored} failed`]),
  ].join(", ");
}

function liveText(live: LiveApplication): string {
  const { application, topology, taskCounts, members, missing } = live;
  const all = Object.values(taskCounts).reduce((sum, tasks) => sum + tasks, 0);
  const running = members.reduce((sum, member) => sum + member.running.length, 0);
  const parts = [
    `${application}: ${count(members.length, "member")}, ${running} of ${
      count(all, "task")
    } running\n`,
    ...missing.map(({ error }) => `not in these figures: ${error}\n`),
  ];
  for (const { id, isGlobal, nodes } of topology.subtopologies) {
    const title = isGlobal ? "In every member" : `Subtopology ${id}`;
    parts.push(`\n${title}\n${stepsTable(live, nodes)}`);
  }
  return [...parts, inputsText(live), storesText(live), restoringText(live)].join("");
}

function stepsTable({ nodes: figures }: LiveApplication, nodes: readonly DescribedNode[]): string {
  const of = ({ name }: DescribedNode) => figures[name] ?? NOTHING;
  const number = (value: number) => value.toLocaleString("en");
  return formatTable(nodes, [
    { title: "STEP", cell: ({ name }) => name },
    { title: "IN", cell: (node) => number(of(node).in), right: true },
    { title: "OUT", cell: (node) => number(of(node).out), right: true },
    { title: "LEFT OUT", cell: (node) => number(droppedOf(of(node))), right: true },
    {
      title: "FAILED",
      cell: (node) => number(of(node).errored),
      right: true,
      tone: (node) => of(node).errored > 0 ? "bad" : null,
    },
    { title: "WHAT", cell: (node) => whatOf(node, of(node)) },
  ]);
}

function whatOf(node: DescribedNode, { dropped }: NodeFigures): string {
  const reasons = Object.entries(dropped).map(([reason, times]) => `${times} × ${reason}`);
  const own = node.kind === "source"
    ? `reads ${node.topics.join(", ")}`
    : node.kind === "sink"
    ? `writes ${node.topic ?? "what each record says"}`
    : node.stores.length > 0
    ? `keeps ${node.stores.join(", ")}`
    : "";
  return [own, ...reasons].filter((text) => text !== "").join("; ");
}

function inputsText({ members }: LiveApplication): string {
  const rows = members.flatMap(({ endpoint, sources }) =>
    sources.map((source) => ({ ...source, endpoint }))
  ).sort((a, b) => a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition);
  if (rows.length === 0) return "";
  return `\nInputs\n${
    formatTable(rows, [
      { title: "TOPIC", cell: ({ topic }) => topic },
      { title: "PARTITION", cell: ({ partition }) => partition, right: true },
      { title: "NEXT", cell: ({ position }) => position, right: true },
      { title: "LAG", cell: ({ lag }) => lag, right: true },
      { title: "TASK", cell: ({ task }) => task },
      { title: "MEMBER", cell: ({ endpoint }) => endpoint },
    ])
  }`;
}

function storesText(live: LiveApplication): string {
  const rows = live.members.flatMap(({ endpoint, stores }) =>
    stores.map((store) => ({ ...store, endpoint }))
  ).sort((a, b) => a.store < b.store ? -1 : a.store > b.store ? 1 : a.task < b.task ? -1 : 1);
  if (rows.length === 0) return "";
  return `\nStores\n${
    formatTable<typeof rows[number]>(rows, [
      { title: "STORE", cell: ({ store }) => store },
      { title: "TASK", cell: ({ task }) => task },
      { title: "STATE", cell: ({ state }) => state },
      { title: "ENTRIES", cell: ({ entries }) => entries, right: true },
      {
        title: "ON DISK",
        cell: ({ bytes }) => bytes === null ? "in memory" : formatBytes(bytes),
        right: true,
      },
      { title: "LAG", cell: ({ lag }) => lag, right: true },
      ...(rows.some(({ snapshot }) => snapshot !== null)
        ? [{ title: "SNAPSHOT", cell: snapshotText, tone: snapshotTone }]
        : []),
      { title: "MEMBER", cell: ({ endpoint }) => endpoint },
    ])
  }${snapshotTroubles(live)}`;
}

function snapshotText({ snapshot }: StoreFigures): string {
  if (snapshot === null) return "";
  return snapshot.ageMs === null ? "none yet" : `${duration(snapshot.ageMs / 1000)} ago`;
}

function snapshotTone({ snapshot }: StoreFigures): "bad" | null {
  return snapshot !== null && snapshot.failure !== null ? "bad" : null;
}

function snapshotTroubles({ members }: LiveApplication): string {
  return members.flatMap(({ endpoint, stores }) => {
    const failure = stores.find(({ snapshot }) => snapshot?.failure != null)?.snapshot?.failure;
    return failure === undefined ? [] : [`no snapshot is taken now at ${endpoint}: ${failure}\n`];
  }).join("");
}

function restoringText({ members }: LiveApplication): string {
  return members.flatMap(({ restoring }) => restoring).map(
    ({ topic, partition, left, leftMs }) => {
      const time = leftMs === null ? "" : `, ${Math.ceil(leftMs / 1000)} s`;
      return `\nrestoring ${topic}-${partition}: ${count(left, "record")} left${time}\n`;
    },
  ).join("");
}
