/**
 * CreatePartitions, versions 0 to 3: answers when the new partitions can be written, or
 * REQUEST_TIMED_OUT. The sender may alter the topic (TOPIC_AUTHORIZATION_FAILED); all else is judged
 * by `planCreatePartitions`.
 */
import { Errors } from "../../core/errors.ts";
import { createPartitions } from "../../core/protocol/37-create-partitions.ts";
import { firstOfEach } from "../first-of-each.ts";
import type { Handler } from "../handler.ts";
import { refuse } from "../outcome.ts";

const DENIED = refuse(Errors.TOPIC_AUTHORIZATION_FAILED, "Authorization failed.");

/** From this version on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const STRICT_QUOTA_VERSION = 3;

export const createPartitionsHandler: Handler<typeof createPartitions> = {
  api: createPartitions,
  forwards: "change",
  authorize: { kind: "items", operations: ["ALTER TOPIC"] },
  async handle(context, request, broker) {
    const allowed = request.topics.filter(({ name }) => context.authorized("ALTER", "TOPIC", name));
    const quota = broker.quotas.mutations(context, context.apiVersion >= STRICT_QUOTA_VERSION);
    const outcomes = await broker.controller.createPartitions(allowed, {
      charge: quota.charge,
      validateOnly: request.validateOnly,
      timeoutMs: request.timeoutMs,
    });
    const answers = new Map(allowed.map((topic, index) => [topic, outcomes[index]]));
    const results = request.topics.map((topic) => {
      const outcome = answers.get(topic) ?? DENIED;
      return {
        name: topic.name,
        errorCode: outcome.ok ? Errors.NONE : outcome.error,
        errorMessage: outcome.ok ? null : outcome.message,
      };
    });
    return {
      throttleTimeMs: quota.throttleMs(),
      results: firstOfEach(results, ({ name }) => name),
    };
  },
  failure: (request, code) => ({
    results: request.topics.map(({ name }) => ({ name, errorCode: code, errorMessage: null })),
  }),
};
