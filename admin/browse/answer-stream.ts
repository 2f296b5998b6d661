/** What browse and search have in common: a scan, a place among the readers, and the answer's body. */
import type { Context } from "hono";
import { stackOf } from "../../core/stack-of.ts";
import type { AdminEnv } from "../app.ts";
import { clientProblem } from "../client-problem.ts";
import type { AdminServices } from "../services.ts";
import type { BrowseRange } from "./browse-query.ts";
import { BROWSE_LIMITS, BrowseAdmission } from "./limits.ts";
import { LocalReader } from "./local-reader.ts";
import { type StreamFormat, streamFormat } from "./record-lines.ts";
import { ResponseWriter } from "./response-writer.ts";
import { TopicScan } from "./topic-scan.ts";

/** What an answer reads. */
export interface StreamAnswer {
  readonly kind: "stream" | "search";
  readonly topic: string;
  readonly range: BrowseRange;
  readonly format: "json" | "csv";
  /** Fetched and not worked off yet. */
  readonly queuedBytes: number;
}

/** Writes the answer; closes the scan. */
export type RunAnswer = (
  scan: TopicScan,
  format: StreamFormat,
  writer: ResponseWriter,
  stopping: AbortSignal,
) => Promise<void>;

const admissions = new WeakMap<AdminServices, BrowseAdmission>();

/** Who reads of this server, by whatever route. */
export function admissionOf(services: AdminServices): BrowseAdmission {
  let admission = admissions.get(services);
  if (admission === undefined) {
    admissions.set(services, admission = new BrowseAdmission(services.broker.io.clock));
  }
  return admission;
}

/** The answer, once it is known where to read. Throws a `Problem`. */
export async function answerStream(
  services: AdminServices,
  context: Context<AdminEnv>,
  { kind, topic, range, format: named, queuedBytes }: StreamAnswer,
  run: RunAnswer,
): Promise<Response> {
  const { broker } = services;
  const { clock } = broker.io;
  const format = streamFormat(context.req.header("accept"), named);
  const permit = admissionOf(services).enter(context.env.peer.host, kind);
  const writer = new ResponseWriter(clock, permit, BROWSE_LIMITS.slowReaderMs);
  const { signal } = context.req.raw;
  signal.addEventListener("abort", writer.drop, { once: true });
  try {
    const open = AbortSignal.any([signal, broker.stopping]);
    const principal = context.get("principal");
    const client = services.client(principal, context.env.peer);
    const local = kind === "search" ? new LocalReader(broker, principal, context.env.peer) : null;
    const scan = await TopicScan.open(client, topic, range, queuedBytes, open, local);
    // Records may be long in coming.
    context.env.exchange?.setIdleSeconds(0);
    run(scan, format, writer, broker.stopping).catch((error: unknown) => {
      broker.logger.error("reading records by HTTP failed by an internal error", {
        stack: stackOf(error),
      });
    });
    return new Response(writer.stream, { headers: { "content-type": format.contentType } });
  } catch (error) {
    permit.leave();
    throw clientProblem(error) ?? error;
  }
}
