/** Descriptions that were saved as JSON. */
import { z } from "zod";
import { DESCRIPTION_FORMAT, type TopologyDescription } from "./describe.ts";

const types = { key: z.string().nullable(), value: z.string().nullable() };
const names = z.array(z.string());
const step = { name: z.string(), parents: names, children: names };

const description: z.ZodType<TopologyDescription> = z.object({
  format: z.literal(DESCRIPTION_FORMAT),
  subtopologies: z.array(z.object({
    id: z.int().min(0),
    isGlobal: z.boolean(),
    nodes: z.array(z.discriminatedUnion("kind", [
      z.object({
        ...{ kind: z.literal("source"), ...step, ...types, topics: names },
        offsetReset: z.enum(["earliest", "latest"]).nullable(),
      }),
      z.object({ kind: z.literal("processor"), ...step, stores: names }),
      z.object({ kind: z.literal("sink"), ...step, ...types, topic: z.string().nullable() }),
    ])),
  })),
  stores: z.array(z.object({
    ...{ name: z.string(), kind: z.string(), ...types },
    ...{ isGlobal: z.boolean(), isCached: z.boolean() },
    shape: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    changelog: z.string().nullable(),
    changelogConfigs: z.record(z.string(), z.string()),
  })),
  repartitionTopics: z.array(z.object({
    ...{ name: z.string(), ...types, partitions: z.int().min(1).nullable() },
  })),
});

/** What is wrong with a text that is no description; or the description. */
export function readDescription(
  text: string,
): { readonly description: TopologyDescription } | { readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: "it is not JSON" };
  }
  const parsed = description.safeParse(value);
  if (parsed.success) return { description: parsed.data };
  const [issue] = parsed.error.issues;
  return { problem: `${issue?.path.join(".")}: ${issue?.message}` };
}
