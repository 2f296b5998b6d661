/**
 * How fast clients may connect (KIP-612, Kafka's `ConnectionQuotas`): `max.connection.creation.rate`
 * for the whole broker, which makes new connections wait, and the quota of an address
 * (`connection_creation_rate`), beyond which its connections are closed after a while.
 */
import type { QuotaConfigs } from "../../cluster/client-quotas.ts";
import type { Clock } from "../../core/io.ts";
import { Meters } from "./meters.ts";
import { type QuotaWindows, WindowedRate } from "./rate.ts";

/** What is to be done with a new connection. */
export type Admission =
  | { readonly kind: "welcome" }
  /** It is taken, and not read for so long. */
  | { readonly kind: "wait"; readonly delayMs: number }
  /** It is closed after so long, unread. */
  | { readonly kind: "refuse"; readonly delayMs: number };

/** What the rates are made of. */
export interface ConnectionRatesOptions {
  readonly clock: Clock;
  readonly quotas: () => QuotaConfigs;
  readonly windows: QuotaWindows;
  /** `max.connection.creation.rate` */
  readonly brokerRateMax: () => number;
}

/** `max.connection.creation.rate` where there is no limit. */
const NO_LIMIT = 0x7fff_ffff;
const WELCOME: Admission = { kind: "welcome" };

/** See the head of this file. */
export class ConnectionRates {
  readonly #byAddress: Meters<WindowedRate>;
  readonly #ofBroker: WindowedRate;

  constructor(private readonly options: ConnectionRatesOptions) {
    this.#byAddress = new Meters(() => new WindowedRate(options.windows));
    this.#ofBroker = new WindowedRate(options.windows);
  }

  /** Counts a new connection of an address. */
  admit(address: string): Admission {
    const { clock, quotas, windows, brokerRateMax } = this.options;
    const nowMs = clock.monotonicMs();
    const quota = quotas().forIp(address, "connection_creation_rate");
    if (quota !== undefined) {
      const rate = this.#byAddress.of(address);
      rate.record(1, nowMs);
      const delayMs = rate.throttleMs(quota.value, nowMs);
      if (delayMs > 0) {
        // One that is refused does not count, or an eager client would never get in again.
        rate.record(-1, nowMs);
        return { kind: "refuse", delayMs: Math.min(delayMs, windows.sizeMs) };
      }
    }
    const limit = brokerRateMax();
    if (limit === NO_LIMIT) return WELCOME;
    this.#ofBroker.record(1, nowMs);
    const delayMs = Math.min(this.#ofBroker.throttleMs(limit, nowMs), windows.sizeMs);
    return delayMs > 0 ? { kind: "wait", delayMs } : WELCOME;
  }
}
