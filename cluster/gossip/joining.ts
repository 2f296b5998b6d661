/** Finding a first member: addresses are tried until one answers. */
import { AssertionError } from "../../core/assert.ts";
import { deferred } from "../../core/deferred.ts";
import { type Clock, type HostPort, type Random, sleep } from "../../core/io.ts";
import type { Logger } from "../../core/logger.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { RefusedError } from "./frame-stream.ts";
import type { RefusalReason } from "./frames.ts";
import { addressText } from "./member.ts";

const BACKOFF_MS = 250;
const BACKOFF_MAX_MS = 10_000;

/** What joining works on. */
export interface JoinParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A conflict is believed to be one after so long: before, the old member may just be dead. */
  readonly conflictPatienceMs: number;
  /** Exchanges states with whoever is at the address. */
  readonly exchange: (address: HostPort) => Promise<void>;
}

/** What came of one round. */
interface Round {
  readonly reached: boolean;
  readonly refusals: readonly { readonly address: HostPort; readonly error: RefusedError }[];
}

/**
 * Exchanges states with whoever answers at the addresses, again and again until one does. Resolves to
 * false if all of them are this member itself, so that there is nobody to join. Rejects with an
 * `OperatorError` if one refuses for good, and with the signal's reason.
 */
export async function join(
  parts: JoinParts,
  addresses: readonly HostPort[],
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, random, conflictPatienceMs } = parts;
  const startMs = clock.monotonicMs();
  const others = [...addresses];
  let backoffMs = BACKOFF_MS;
  for (let attempt = 0; others.length > 0; attempt++) {
    const { reached, refusals } = await tryAll(parts, others, attempt);
    if (reached) return true;
    for (const { address, error } of refusals) {
      if (error.reason === "self") forgetSelf(parts, others, address);
      else if (
        error.reason !== "conflict" || clock.monotonicMs() - startMs >= conflictPatienceMs
      ) {
        throw refusedError(address, error);
      }
    }
    if (others.length === 0) break;
    await sleep(clock, backoffMs * (0.5 + random.below(1_000) / 1_000), signal);
    backoffMs = Math.min(BACKOFF_MAX_MS, 2 * backoffMs);
  }
  return false;
}

/** Tries all addresses at once; ends when the first has answered or all have failed. */
async function tryAll(
  parts: JoinParts,
  addresses: readonly HostPort[],
  attempt: number,
): Promise<Round> {
  const refusals: { address: HostPort; error: RefusedError }[] = [];
  const answers = addresses.map(async (address) => {
    try {
      await parts.exchange(address);
      return true;
    } catch (error) {
      if (error instanceof AssertionError) throw error;
      if (error instanceof RefusedError) refusals.push({ address, error });
      sayFailure(parts.logger, address, error, attempt);
      return false;
    }
  });
  const first = deferred<boolean>();
  for (const answer of answers) {
    answer.then((reached) => reached && first.resolve(true), (error: unknown) => {
      first.reject(error);
    });
  }
  const all = Promise.all(answers).then((reached) => reached.includes(true));
  return { reached: await Promise.race([first.promise, all]), refusals };
}

/** Not the first time, which is usual where all members start at once, and then ever more rarely. */
function sayFailure(logger: Logger, address: HostPort, error: unknown, attempt: number): void {
  if (attempt === 0 || (attempt & (attempt - 1)) !== 0) return;
  logger.warn("no member answers at a join address", {
    address: addressText(address),
    why: error instanceof Error ? error.message : String(error),
    attempts: attempt + 1,
  });
}

function forgetSelf({ logger }: JoinParts, others: HostPort[], address: HostPort): void {
  others.splice(others.indexOf(address), 1);
  logger.info("a join address is this member itself", { address: addressText(address) });
}

const TO_DO: Readonly<Record<RefusalReason, string>> = {
  self: "give the address of another member",
  conflict: "give this node an id of its own, or stop the other one",
  address: "advertise an address of this host that the others reach",
  cluster: "join a member of the same cluster, or begin with an empty data directory",
  network: "give both the same --cluster name, or join another address",
  key: "give all members the same gossip keys",
  version: "upgrade the older of the two",
};

function refusedError(address: HostPort, { reason, sentence }: RefusedError): OperatorError {
  const what = `cannot join the cluster at ${addressText(address)}`;
  return new OperatorError(what, sentence, TO_DO[reason]);
}
