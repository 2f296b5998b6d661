/** Says which right of a mirror is missing where a cluster refuses something. */
import { KafkaError } from "../../../client/index.ts";
import { Errors } from "../../../core/errors.ts";

export type Side = "source" | "target";

const REFUSALS: ReadonlySet<number> = new Set([
  Errors.TOPIC_AUTHORIZATION_FAILED,
  Errors.GROUP_AUTHORIZATION_FAILED,
  Errors.CLUSTER_AUTHORIZATION_FAILED,
]);

/** The error, with the right if that is what is missing: `READ of topic "orders"`. */
export function withRight(side: Side, right: string, error: unknown): unknown {
  if (!(error instanceof KafkaError) || !REFUSALS.has(error.code)) return error;
  return new Error(`${error.message}: it needs ${right} in the ${side} cluster`, { cause: error });
}

/** Throws what `work` throws, with the right if that is what is missing. */
export async function needing<T>(side: Side, right: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw withRight(side, right, error);
  }
}
