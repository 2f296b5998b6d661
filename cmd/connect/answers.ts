/** What workers answer, as far as the commands read it. */
import { z } from "zod";

const state = z.object({
  state: z.string(),
  worker_id: z.string(),
  trace: z.string().optional(),
});

export const statusAnswer = z.object({
  name: z.string(),
  connector: state,
  tasks: z.array(state.extend({ id: z.number() })),
  type: z.string().optional(),
});

export type StatusAnswer = z.infer<typeof statusAnswer>;

export const configAnswer = z.record(z.string(), z.string().nullable());

export const expandedAnswer = z.record(
  z.string(),
  z.object({
    status: statusAnswer.optional(),
    info: z.object({ config: configAnswer }).optional(),
  }),
);

const map = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

export const offsetsAnswer = z.object({
  offsets: z.array(z.object({ partition: map, offset: map.nullable() })),
});

/** Of workers of ours alone. */
export const figuresAnswer = z.object({
  tasks: z.array(z.object({
    id: z.number(),
    figures: z.record(z.string(), z.number()),
    gauges: z.record(z.string(), z.number()),
  })),
});

export const messageAnswer = z.object({ message: z.string() });

/** Worst first: what a connector as a whole is said to be. */
const ORDER = ["FAILED", "UNASSIGNED", "RESTARTING", "STOPPED", "PAUSED", "RUNNING"];

/** The state of the connector or of its task that is worst off. */
export function worstState({ connector, tasks }: StatusAnswer): string {
  const states = [connector, ...tasks].map((each) => each.state);
  return ORDER.find((each) => states.includes(each)) ?? connector.state;
}
