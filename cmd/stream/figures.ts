/** How an application goes: a line on the terminal each second, or one in the log now and then. */
import type { Clock, Timer } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import type { StreamsStatus } from "../../stream/runtime/streams-app.ts";
import { count } from "../output.ts";

const SHOW_EVERY_MS = 1000;
const LOG_EVERY_MS = 10_000;

/** See the head of the file. */
export class Figures {
  #timer: Timer | null = null;
  #before: { readonly status: StreamsStatus; readonly ms: number } | null = null;

  /** `show`: null where nobody looks on. */
  constructor(
    private readonly clock: Clock,
    private readonly status: () => StreamsStatus,
    private readonly logger: Logger,
    private readonly show: ((text: string) => void) | null,
  ) {}

  start(): void {
    const everyMs = this.show === null ? LOG_EVERY_MS : SHOW_EVERY_MS;
    this.#timer = this.clock.setTimer(everyMs, () => {
      this.#tell();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.show?.("");
  }

  #tell(): void {
    const status = this.status();
    const ms = this.clock.monotonicMs();
    const before = this.#before;
    this.#before = { status, ms };
    if (before === null) return;
    const perSecond = (name: "processed" | "sent") =>
      Math.round(((status[name] - before.status[name]) * 1000) / (ms - before.ms));
    const rates = { processed: perSecond("processed"), sent: perSecond("sent") };
    if (this.show !== null) return this.show(lineOf(status, rates));
    // An application that rests says nothing.
    if (status.processed === before.status.processed && status.opening.length === 0) return;
    this.logger.info("figures", {
      processedPerSecond: rates.processed,
      sentPerSecond: rates.sent,
      processed: status.processed,
      dropped: status.dropped,
      letters: status.letters,
      running: status.running.length,
      opening: status.opening.length,
      standby: status.standby.length,
    });
  }
}

function lineOf(
  { running, opening, standby, restoring, dropped, letters }: StreamsStatus,
  rates: Readonly<Record<"processed" | "sent", number>>,
): string {
  const number = (value: number) => value.toLocaleString("en-US");
  const left = restoring.reduce((sum, each) => sum + each.left, 0);
  const leftMs = Math.max(0, ...restoring.map((each) => each.leftMs ?? 0));
  const parts = [
    `${number(rates.processed)} records/s in, ${number(rates.sent)} out`,
    running.length + opening.length + standby.length === 0
      ? "no tasks: they are being shared out, or others have all"
      : `${count(running.length, "task")} running`,
    ...(opening.length === 0 ? [] : [`${opening.length} beginning`]),
    ...(left === 0 ? [] : [
      `${number(left)} records to restore${leftMs > 0 ? `, ${Math.ceil(leftMs / 1000)} s` : ""}`,
    ]),
    ...(standby.length === 0 ? [] : [`${standby.length} standing by`]),
    ...(dropped === 0 ? [] : [`${number(dropped)} left out`]),
    ...(letters === 0 ? [] : [`${number(letters)} dead letters`]),
  ];
  return parts.join(" · ");
}
