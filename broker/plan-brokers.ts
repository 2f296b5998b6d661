/** What the controller would write to forget a broker (Kafka's `unregisterBroker`). */
import { partitionsAfter } from "../cluster/controller/broker-changes.ts";
import { type ErrorCode, Errors } from "../core/errors.ts";
import type { Steps } from "../core/steps.ts";
import { electionContext } from "./elections.ts";
import { accept, refuse } from "./outcome.ts";
import type { Plan, PlanContext } from "./plan-topics.ts";

/**
 * Plans that a broker is no longer a member: it leads nothing and is in no ISR from then on. It stays a
 * replica of what it has, for the case that it comes back. A broker that is a cluster by itself stays.
 */
export function* planUnregister(
  { image, config }: PlanContext,
  brokerId: number,
): Steps<Plan<null>> {
  const broker = image.brokers.get(brokerId);
  const refused = (error: ErrorCode, message: string): Plan<null> => ({
    records: [],
    outcomes: [refuse(error, message)],
  });
  if (broker === undefined) {
    const message = `Broker ID ${brokerId} is not currently registered`;
    return refused(Errors.BROKER_ID_NOT_REGISTERED, message);
  }
  if (broker.incarnationId === "") {
    const message = `Broker ID ${brokerId} is the broker that answers this`;
    return refused(Errors.INVALID_REQUEST, message);
  }
  const elections = electionContext(image, config);
  const partitions = yield* partitionsAfter(image, { leaving: [brokerId] }, {
    ...elections,
    isAlive: (id) => id !== brokerId && elections.isAlive(id),
  });
  return {
    records: [...partitions, { type: "remove-broker", version: 1, brokerId }],
    outcomes: [accept(null)],
  };
}
