/** The graph of an application: a picture for each subtopology, each step with its counts. */
import { useEffect, useRef } from "preact/hooks";
import { count, plural, rate } from "../data/format.ts";
import { BOX_WIDTH, type Layout, layoutOf, pathThrough } from "../data/graph-layout.ts";
import {
  droppedOf,
  figuresOf,
  lagOfTopics,
  type Live,
  type LiveNode,
  type Rates,
  rounded,
} from "../data/streams.ts";

type Subtopology = Live["topology"]["subtopologies"][number];

const LINE_PX = 19;
const PADDING_PX = 14;
/** Of the arrowheads, which stand over the boxes' edges. */
const MARGIN_PX = 8;

export function StreamGraph({ live, rates }: { live: Live; rates: Rates }) {
  return (
    <>
      {live.topology.subtopologies.map((subtopology) => (
        <Part key={subtopology.id} live={live} rates={rates} subtopology={subtopology} />
      ))}
    </>
  );
}

function Part({ live, rates, subtopology }: {
  live: Live;
  rates: Rates;
  subtopology: Subtopology;
}) {
  const { id, isGlobal, nodes } = subtopology;
  const title = isGlobal ? "In every member" : `Subtopology ${id}`;
  const running = live.members.flatMap((member) => member.running)
    .filter((task) => task.startsWith(`${id}_`)).length;
  const tasks = live.taskCounts[id] ?? 0;
  const texts = new Map(nodes.map((node) => [node.name, wordsOf(live, node)]));
  const layout = layoutOf(nodes.map(({ name, children }) => {
    return { name, children, heightPx: heightOf(texts.get(name) ?? []) };
  }));
  const { width, height, boxes } = layout;
  const box = useRef<HTMLDivElement>(null);
  // What is wider than the screen is seen from where it begins: the middle.
  useEffect(() => {
    const element = box.current;
    if (element !== null) element.scrollLeft = (element.scrollWidth - element.clientWidth) / 2;
  }, [width]);
  return (
    <section class="panel" aria-label={title}>
      <h2>
        {title}
        {!isGlobal && <span class="note">{`${running} of ${plural(tasks, "task")} run`}</span>}
      </h2>
      <div ref={box} class="graph-box" tabIndex={0} role="region" aria-label={`Graph of ${title}`}>
        <div class="graph" style={{ width: `${width}px`, height: `${height}px` }}>
          <Lines layout={layout} rates={rates} arrow={`arrow-${id}`} />
          {boxes.map(({ name, x, y, heightPx }) => {
            const node = nodes.find((each) => each.name === name);
            if (node === undefined) return null;
            return (
              <Box
                key={name}
                live={live}
                rates={rates}
                node={node}
                words={texts.get(name) ?? []}
                place={{
                  left: `${x}px`,
                  top: `${y}px`,
                  width: `${BOX_WIDTH}px`,
                  height: `${heightPx}px`,
                }}
              />
            );
          })}
        </div>
      </div>
    </section>
  );
}

function Lines({ layout: { width, height, lines }, rates, arrow }: {
  layout: Layout;
  rates: Rates;
  /** Its id, of which there is one in the document. */
  arrow: string;
}) {
  return (
    <svg
      aria-hidden="true"
      width={width}
      height={height + MARGIN_PX}
      viewBox={`0 0 ${width} ${height + MARGIN_PX}`}
    >
      <defs>
        <marker
          id={arrow}
          viewBox="0 0 8 8"
          refX="7"
          refY="4"
          markerWidth="8"
          markerHeight="8"
          orient="auto"
        >
          <path d="M0 0L8 4L0 8z" />
        </marker>
      </defs>
      {lines.map(({ from, to, points }) => (
        <path
          key={`${from} ${to}`}
          class={(rates?.get(from)?.out ?? 0) > 0 ? "line flows" : "line"}
          d={pathThrough(points)}
          marker-end={`url(#${arrow})`}
        />
      ))}
    </svg>
  );
}

/** Name, counts, rate, and what else there is to say. */
function heightOf(words: readonly unknown[]): number {
  return PADDING_PX + (2 + words.length) * LINE_PX;
}

interface Words {
  readonly text: string;
  readonly tone: "" | "warn" | "bad";
}

/** What stands below the counts of a step. */
function wordsOf(live: Live, node: LiveNode): Words[] {
  const words: Words[] = [];
  const say = (text: string, tone: Words["tone"] = "") => words.push({ text, tone });
  if (node.kind === "source") {
    say(`reads ${node.topics.join(", ")}`);
    const lag = lagOfTopics(live, node.topics);
    if (lag !== null && lag > 0) say(`${count(lag)} behind`, "warn");
  } else if (node.kind === "sink") {
    say(node.topic === null ? "writes what each record says" : `writes ${node.topic}`);
  } else {
    for (const store of node.stores) say(`keeps ${store}${entriesOf(live, store)}`);
  }
  const figures = figuresOf(live, node.name);
  const dropped = droppedOf(figures);
  if (dropped > 0) say(`${count(dropped)} left out`, "warn");
  if (figures.errored > 0) say(`${count(figures.errored)} failed`, "bad");
  return words;
}

function entriesOf({ members }: Live, name: string): string {
  const parts = members.flatMap(({ stores }) => stores)
    .filter(({ store, state }) => store === name && state !== "standby");
  if (parts.length === 0) return "";
  return ` (${count(parts.reduce((sum, { entries }) => sum + entries, 0))})`;
}

function Box({ live, rates, node, words, place }: {
  live: Live;
  rates: Rates;
  node: LiveNode;
  words: readonly Words[];
  place: Readonly<Record<string, string>>;
}) {
  const { in: came, out, dropped } = figuresOf(live, node.name);
  const perSecond = rates?.get(node.name)?.in;
  const reasons = Object.entries(dropped).map(([reason, times]) => `${count(times)}: ${reason}`);
  return (
    <div class={`step ${node.kind}`} style={place} title={[node.name, ...reasons].join("\n")}>
      <div class="step-name">{node.name}</div>
      <div class="step-counts">
        <span>{`${count(came)} in`}</span>
        <span>{`${count(out)} out`}</span>
        {perSecond !== undefined && perSecond > 0 && (
          <span class="accent">{rate(rounded(perSecond))}</span>
        )}
      </div>
      {words.map(({ text, tone }) => <div key={text} class={`step-words ${tone}`}>{text}</div>)}
    </div>
  );
}
