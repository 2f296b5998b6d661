/**
 * What programs tell one another of applications, checked: what comes from another one may be anything.
 */
import { z } from "zod";
import type { LiveApplication, MemberFigures } from "./live-application.ts";
import { DESCRIPTION_FORMAT, type TopologyDescription } from "./topology-description.ts";

const types = { key: z.string().nullable(), value: z.string().nullable() };
const names = z.array(z.string());
const step = { name: z.string(), parents: names, children: names };

export const descriptionSchema: z.ZodType<TopologyDescription> = z.object({
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

const count = z.int().min(0);
const lag = count.nullable().describe("records that are still to come; null: not known");
const tasks = z.array(z.string()).readonly();
const nodes = z.record(
  z.string(),
  z.object({
    in: count.describe("records that came to it"),
    out: count.describe("records that it gave on, or wrote"),
    errored: count.describe("records that it failed with"),
    dropped: z.record(z.string(), count).describe("records that it left out, by the reason"),
  }),
).describe("by their names; what was processed again counts again");

export const memberFiguresSchema: z.ZodType<MemberFigures> = z.object({
  endpoint: z.string().nullable().describe("where it is asked"),
  upMs: z.number().min(0),
  running: tasks,
  opening: tasks.describe("tasks that are being restored, or wait to begin again"),
  standby: tasks,
  nodes,
  sources: z.array(z.object({
    ...{ task: z.string(), topic: z.string(), partition: count },
    position: count.describe("the offset that is processed next"),
    lag,
  })),
  stores: z.array(z.object({
    ...{ task: z.string(), store: z.string() },
    state: z.enum(["running", "restoring", "standby"]),
    entries: count.describe("about"),
    bytes: count.nullable().describe("on disk; null: it is in memory"),
    lag,
    snapshot: z.object({
      ageMs: z.number().min(0).nullable().describe("of the newest; null: there is none yet"),
      failure: z.string().nullable().describe("why the last one could not be taken"),
    }).nullable().describe("null: none are taken of it here"),
  })),
  restoring: z.array(z.object({
    ...{ topic: z.string(), partition: count, records: count, left: count },
    leftMs: z.number().min(0).nullable(),
  })),
});

export const liveApplicationSchema: z.ZodType<LiveApplication> = z.object({
  application: z.string(),
  topology: descriptionSchema,
  taskCounts: z.record(z.string(), count).describe("by subtopology"),
  nodes,
  members: z.array(memberFiguresSchema),
  missing: z.array(z.object({ endpoint: z.string(), error: z.string() }))
    .describe("members that did not answer: what they have done is in no sum"),
});
