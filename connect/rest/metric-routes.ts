/** What workers and tasks do, in figures: `/metrics` for Prometheus, `/admin/figures` as JSON. */
import type { Context } from "hono";
import { metricsText, TEXT_FORMATS, textFormatFor } from "../../core/metrics/text.ts";
import type { MeasuredTask, MeasuredWorker } from "../herder/measured.ts";
import { CONNECT_METRICS, connectorGauges } from "../metrics/families.ts";
import type { RestApp, RestAppOptions } from "./app.ts";
import { askPeer } from "./http-peer.ts";

/** Other workers that are asked for theirs, at most. */
const WORKERS_MAX = 50;
const FIGURES = "/admin/figures";

export function metricRoutes(app: RestApp, options: RestAppOptions): void {
  const { herder } = options;
  app.get("/metrics", ({ req, body }) => {
    const format = textFormatFor(req.header("accept") ?? "");
    const text = [...metricsText(CONNECT_METRICS, herder.measured(), format)].join("");
    return body(text, 200, { "content-type": TEXT_FORMATS[format] });
  });
  app.get(FIGURES, async (context) => {
    const connector = context.req.query("connector");
    const own = figuresJson(herder.measured(), connector);
    if (context.req.query("scope") !== "cluster") return context.json(own);
    const others = await Promise.all(
      herder.otherWorkers().slice(0, WORKERS_MAX).map((url) => askOther(options, url, context)),
    );
    return context.json({
      workers: [...own.workers, ...others.flatMap((other) => other?.workers ?? [])],
      tasks: [...own.tasks, ...others.flatMap((other) => other?.tasks ?? [])],
    });
  });
}

interface FiguresJson {
  readonly workers: readonly unknown[];
  readonly tasks: readonly unknown[];
}

function figuresJson(measured: MeasuredWorker, connector: string | undefined): FiguresJson {
  const { workerId, isLeader, counts, tasks } = measured;
  const wanted = tasks.filter((task) => connector === undefined || task.connector === connector);
  return {
    workers: [{ worker_id: workerId, leader: isLeader, ...counts }],
    tasks: wanted.map((task) => taskJson(task, workerId)),
  };
}

function taskJson(task: MeasuredTask, workerId: string) {
  return {
    connector: task.connector,
    id: task.task,
    worker_id: workerId,
    state: task.state,
    figures: task.figures,
    gauges: Object.fromEntries(connectorGauges(task)),
  };
}

/** What another worker tells of itself; null: it does not answer, as one that is gone. */
async function askOther(
  { clock, ask, logger }: RestAppOptions,
  url: string,
  { req }: Context,
): Promise<FiguresJson | null> {
  const there = new URL(FIGURES, url);
  const connector = req.query("connector");
  if (connector !== undefined) there.searchParams.set("connector", connector);
  const authorization = req.header("authorization");
  const headers = { ...(authorization !== undefined && { authorization }) };
  try {
    const answer = await askPeer(clock, ask, there.href, { headers }, OTHERS_MS);
    const json: unknown = answer.ok ? await answer.json() : null;
    return isFigures(json) ? json : null;
  } catch (error) {
    logger.debug("another worker does not tell its figures", { url, why: String(error) });
    return null;
  }
}

/** How long another worker is waited for. */
const OTHERS_MS = 3000;

function isFigures(json: unknown): json is FiguresJson {
  return typeof json === "object" && json !== null && "tasks" in json && "workers" in json &&
    Array.isArray(json.tasks) && Array.isArray(json.workers);
}
