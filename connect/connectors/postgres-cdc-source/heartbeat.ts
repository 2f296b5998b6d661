/** Records that only carry the place of the source, and a statement, from time to time. */
import { primitive, struct } from "../../index.ts";
import type { PartialSourceRecord, SourceContext } from "../../index.ts";
import type { CaptureConfig } from "./fields.ts";
import type { Session } from "./session.ts";

const keySchema = struct({ serverName: primitive("string") }, {
  name: "io.debezium.connector.common.ServerNameKey",
  version: 1,
});
const valueSchema = struct({ ts_ms: primitive("int64") }, {
  name: "io.debezium.connector.common.Heartbeat",
  version: 1,
});

/** See the head of the file. */
export class Heartbeat {
  #lastMs: number;

  constructor(readonly context: SourceContext<CaptureConfig>, readonly session: Session) {
    this.#lastMs = context.clock.monotonicMs();
  }

  /** How long to wait for changes at most. */
  waitMs(): number {
    const { config } = this.context;
    const statusMs = config["status.update.interval.ms"];
    const intervalMs = config["heartbeat.interval.ms"];
    if (intervalMs === 0) return statusMs;
    const leftMs = this.#lastMs + intervalMs - this.context.clock.monotonicMs();
    return Math.max(0, Math.min(statusMs, leftMs));
  }

  /** The record, where it is time. */
  async due(): Promise<readonly PartialSourceRecord[]> {
    const { config, clock } = this.context;
    const intervalMs = config["heartbeat.interval.ms"];
    if (intervalMs === 0 || clock.monotonicMs() - this.#lastMs < intervalMs) return [];
    this.#lastMs = clock.monotonicMs();
    const statement = config["heartbeat.action.query"];
    if (statement !== null) await this.session.query(statement);
    return [{
      topic: `${config["topic.heartbeat.prefix"]}.${config["topic.prefix"]}`,
      keySchema,
      key: { serverName: config["topic.prefix"] },
      valueSchema,
      value: { ts_ms: clock.wallMs() },
    }];
  }
}
