/** Looks at how much the server keeps for the slot, and does what `slot.lag.action` says. */
import { RetriableError } from "../../index.ts";
import type { SourceContext } from "../../index.ts";
import type { CaptureConfig } from "./fields.ts";
import type { ReplicationStream } from "./replication-stream.ts";
import type { Session } from "./session.ts";
import { dropSlot, slotLag } from "./slot.ts";

const WARN_INTERVAL_MS = 60_000;
const DROP_PAUSE_MS = 100;

/** Runs beside the stream, also while nobody takes of it; ends with the signal or the stream. Never rejects. */
export async function watchLag(
  session: Session,
  stream: ReplicationStream,
  context: SourceContext<CaptureConfig>,
  signal: AbortSignal,
): Promise<void> {
  const { config, clock, log, gauge } = context;
  const until = AbortSignal.any([signal, stream.ended]);
  const slot = config["slot.name"];
  const max = config["slot.lag.max.bytes"];
  let warnedMs = -Infinity;
  while (!until.aborted) {
    let lag: number | null;
    try {
      lag = await slotLag(session, slot);
    } catch (error) {
      // Where this connection is lost, all is begun anew.
      stream.fail(session.explain(error));
      return;
    }
    if (lag !== null) gauge("slot-lag-bytes", lag);
    if (lag !== null && max > 0 && lag > max) {
      const what = `the server keeps ${lag} bytes for slot "${slot}"`;
      if (config["slot.lag.action"] !== "warn") {
        await giveUp(session, stream, context, `${what}, more than slot.lag.max.bytes=${max}`);
        return;
      }
      if (clock.monotonicMs() - warnedMs >= WARN_INTERVAL_MS) {
        warnedMs = clock.monotonicMs();
        log.warn("the slot keeps more of the server's log than slot.lag.max.bytes", { slot, lag });
      }
    }
    await clock.sleep(config["status.update.interval.ms"], until);
  }
}

async function giveUp(
  session: Session,
  stream: ReplicationStream,
  { config, clock, log, signal }: SourceContext<CaptureConfig>,
  why: string,
): Promise<void> {
  const where = `PostgreSQL at ${session.where}`;
  if (config["slot.lag.action"] === "fail") {
    const error = new Error(
      `${where}: ${why}. It keeps more and more: drop the slot, or let the connector catch up with a ` +
        "higher bound",
    );
    log.error(error.message);
    stream.fail(error);
    return;
  }
  stream.fail(new Error(`${where}: ${why}, so it was dropped: a new snapshot is needed`));
  while (!signal.aborted) {
    try {
      await dropSlot(session, config["slot.name"]);
      log.error("the slot was dropped, so that the server's disk does not fill", { why });
      return;
    } catch (error) {
      // It is in use until the server has seen the stream's end.
      if (!(error instanceof RetriableError)) {
        log.error("the slot could not be dropped", { why: session.explain(error).message });
        return;
      }
      await clock.sleep(DROP_PAUSE_MS, signal);
    }
  }
}
