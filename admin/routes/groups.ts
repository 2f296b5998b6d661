/** `/v1/groups`: groups of every type, how far they are behind, and where they read next. */
import type { Context } from "hono";
import { totalLag } from "../../client/admin/group-lag.ts";
import { type Position, readPositions } from "../../client/admin/positions.ts";
import { readSeekFacts } from "../../client/admin/seek-facts.ts";
import { type Destination, type Move, planMove } from "../../client/admin/seek-plan.ts";
import type { Admin } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import { OffsetSyntaxError, parseOffsetPoint } from "../../core/text/offset-range.ts";
import type { AdminEnv } from "../app.ts";
import { type GroupPlace, longestLag, readGroupLags } from "../group-lags.ts";
import { body, createRoute, json, list, newRoutes, z } from "../openapi.ts";
import { LIST_QUERY, nextCursor, pageOfItems } from "../paging.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { DRY_RUN, findTopic } from "./topics.ts";

const GROUP_PARAM = z.object({ group: z.string().min(1).max(500) });
const lag = z.int().nullable().describe("records that are not read yet; null: not known");
const lagSeconds = z.number().nullable().describe(
  "since the record was written that is read next; 0: all is read; null: not known, or not yet",
);
const GROUPS_QUERY = LIST_QUERY.extend({
  lag: z.enum(["true", "false"]).default("true").transform((text) => text === "true")
    .openapi({ type: "boolean", default: true }),
});

const GROUP = z.object({
  group: z.string(),
  state: z.string(),
  type: z.string().describe("classic, consumer, share, streams"),
  protocolType: z.string(),
  lag,
  lagSeconds: lagSeconds.describe("of the partition that is furthest behind; null: not known"),
}).openapi("Group");
const ASSIGNMENT = list(z.object({ topic: z.string(), partitions: list(z.int()) }));
const TASKS = list(z.object({ subtopology: z.string(), partitions: list(z.int()) }));
const GROUP_PARTITION = z.object({
  topic: z.string(),
  partition: z.int(),
  offset: z.int().nullable().describe("where it reads next; null: it has not begun"),
  endOffset: z.int().nullable(),
  lag,
  lagSeconds,
  memberId: z.string().nullable().describe("who reads it now"),
}).openapi("GroupPartition");
const GROUP_DESCRIPTION = z.object({
  group: z.string(),
  state: z.string(),
  type: z.string(),
  protocolType: z.string(),
  protocol: z.string().describe("the assignor in use"),
  coordinator: z.int(),
  groupEpoch: z.int().nullable(),
  assignmentEpoch: z.int().nullable(),
  lag,
  lagSeconds: lagSeconds.describe("of the partition that is furthest behind; null: not known"),
  members: list(z.object({
    memberId: z.string(),
    groupInstanceId: z.string().nullable(),
    rackId: z.string().nullable(),
    clientId: z.string(),
    clientHost: z.string(),
    memberEpoch: z.int().nullable(),
    subscribedTopics: list(z.string()),
    subscribedRegex: z.string().nullable(),
    assignment: ASSIGNMENT,
    tasks: z.object({ active: TASKS, standby: TASKS, warmup: TASKS }).nullable(),
  })),
  partitions: list(GROUP_PARTITION),
}).openapi("GroupDescription");
const SEEK = z.strictObject({
  to: z.string().max(100).optional()
    .describe("start, end, 42, +10, -10, a time as 2026-01-31T12:00Z, yesterday or -1h"),
  shift: z.int().optional().describe("so many records forward, or back where it is negative"),
  topics: z.array(z.string().min(1).max(249)).max(1000).optional()
    .describe("all partitions of these; else those that the group has offsets in"),
}).openapi("Seek");
const MOVED = z.object({
  group: z.string(),
  executed: z.boolean(),
  partitions: list(z.object({
    topic: z.string(),
    partition: z.int(),
    currentOffset: z.int().nullable(),
    newOffset: z.int(),
    note: z.string().nullable().describe("why it is not quite what was asked for"),
  })),
}).openapi("Moved");

const tags = ["groups"];
const LIST = createRoute({
  method: "get",
  path: "/v1/groups",
  operationId: "listGroups",
  tags,
  summary: "The groups, by name; with their lag unless ?lag=false",
  request: { query: GROUPS_QUERY },
  responses: { 200: json(z.object({ groups: list(GROUP), nextCursor }), "A page of groups") },
});
const DESCRIBE = createRoute({
  method: "get",
  path: "/v1/groups/{group}",
  operationId: "describeGroup",
  tags,
  summary: "A group, its members, and where it is in its partitions",
  request: { params: GROUP_PARAM },
  responses: { 200: json(GROUP_DESCRIPTION, "The group") },
});
const MOVE = createRoute({
  method: "post",
  path: "/v1/groups/{group}/seek",
  operationId: "seekGroup",
  tags,
  summary: "Move a group without members; with dryRun=true only say where it would be",
  request: { params: GROUP_PARAM, query: DRY_RUN, body: body(SEEK) },
  responses: { 200: json(MOVED, "The moves") },
});
const DELETE = createRoute({
  method: "delete",
  path: "/v1/groups/{group}",
  operationId: "deleteGroup",
  tags,
  summary: "Delete a group that has no members",
  request: { params: GROUP_PARAM },
  responses: { 200: json(z.object({ deleted: z.string() }), "It is deleted") },
});
const FORGET = createRoute({
  method: "delete",
  path: "/v1/groups/{group}/offsets/{topic}",
  operationId: "deleteGroupOffsets",
  tags,
  summary: "Have a group forget where it is in a topic",
  request: { params: GROUP_PARAM.extend({ topic: z.string().min(1).max(249) }) },
  responses: { 200: json(z.object({ forgotten: z.string() }), "It is forgotten") },
});

export function groupRoutes(services: AdminServices) {
  return newRoutes()
    .openapi(LIST, async (context) => {
      return context.json(await listGroups(services, context, context.req.valid("query")), 200);
    })
    .openapi(DESCRIBE, async (context) => {
      const { group } = context.req.valid("param");
      return context.json(await describeGroup(services, context, group), 200);
    })
    .openapi(MOVE, async (context) => {
      const { group } = context.req.valid("param");
      const { dryRun } = context.req.valid("query");
      const { to, shift, topics } = context.req.valid("json");
      const destination = destinationOf(to, shift, services.broker.io.clock.wallMs());
      const admin = adminOf(services, context);
      const partitions = await seek(admin, group, destination, topics ?? null, !dryRun);
      return context.json({ group, executed: !dryRun, partitions }, 200);
    })
    .openapi(DELETE, async (context) => {
      const { group } = context.req.valid("param");
      const [result] = await adminOf(services, context).groups.delete([group]);
      if (result !== undefined && result.error !== null) throw result.error;
      return context.json({ deleted: group }, 200);
    })
    .openapi(FORGET, async (context) => {
      const { group, topic } = context.req.valid("param");
      await forget(adminOf(services, context), group, topic);
      return context.json({ forgotten: topic }, 200);
    });
}

async function listGroups(
  services: AdminServices,
  context: Context<AdminEnv>,
  { lag: withLag, ...query }: z.infer<typeof GROUPS_QUERY>,
) {
  const listed = await adminOf(services, context).groups.list();
  const page = pageOfItems(listed, query, ({ groupId }) => groupId);
  const places = withLag
    ? await readGroupLags(services, userOf(context), page.items)
    : new Map<string, readonly GroupPlace[]>();
  const groups = page.items.map(({ groupId, state, type, protocolType }) => {
    const known = places.get(groupId) ?? [];
    const lag = totalLag(known.map(({ lag }) => lag));
    return { group: groupId, state, type, protocolType, lag, lagSeconds: longestLag(known) };
  });
  return { groups, nextCursor: page.nextCursor };
}

function adminOf(services: AdminServices, context: Context<AdminEnv>): Admin {
  return services.client(context.var.principal, context.env.peer).admin;
}

function userOf({ var: { principal }, env: { peer } }: Context<AdminEnv>) {
  return { principal, peer };
}

async function describeGroup(services: AdminServices, context: Context<AdminEnv>, name: string) {
  const described = await adminOf(services, context).groups.describe(name);
  const { groupId: group, ...rest } = described;
  const lags = await readGroupLags(services, userOf(context), [described]);
  const places = lags.get(group) ?? [];
  const readers = new Map<string, string>(
    described.members.flatMap(({ memberId, assignment }) =>
      assignment.flatMap(({ topic, partitions }) =>
        partitions.map((partition) => [`${topic}/${partition}`, memberId] as const)
      )
    ),
  );
  const partitions = places.map((place) => {
    const memberId = readers.get(`${place.topic}/${place.partition}`) ?? null;
    return { ...place, memberId };
  });
  const lag = totalLag(places.map(({ lag }) => lag));
  return { group, ...rest, lag, lagSeconds: longestLag(places), partitions };
}

function destinationOf(
  to: string | undefined,
  shift: number | undefined,
  nowMs: number,
): Destination {
  if ((to === undefined) === (shift === undefined)) {
    throw refused("to", "give one of to and shift");
  }
  if (shift !== undefined) return { kind: "shift", by: shift };
  try {
    return parseOffsetPoint(to ?? "", nowMs, true);
  } catch (error) {
    if (error instanceof OffsetSyntaxError) throw refused("to", error.message);
    throw error;
  }
}

function refused(path: string, message: string): Problem {
  const detail = `the request is refused: ${path}: ${message}`;
  return new Problem(400, "bad request body", detail, { errors: [{ path, message }] });
}

async function seek(
  admin: Admin,
  name: string,
  destination: Destination,
  topics: readonly string[] | null,
  isExecuted: boolean,
): Promise<Move[]> {
  const group = await admin.groups.describe(name);
  if (isExecuted && group.members.length > 0) {
    // Members would commit over it, or go on from where they are.
    const detail = `group "${name}" has members: stop them first`;
    throw new Problem(409, "conflict", detail, { error: "NON_EMPTY_GROUP" });
  }
  const positions = await readPositions(admin, name, group.type);
  const targets = topics === null
    ? await stillThere(admin, positions)
    : (await Promise.all(topics.map((topic) => findTopic(admin, topic)))).flatMap((found) =>
      found.partitions.map(({ partition }) => ({ topic: found.name, partition }))
    );
  const facts = await readSeekFacts(admin, targets, positions, null, destination);
  const moves = facts.flatMap((each) => planMove(each, destination) ?? []);
  if (moves.length === 0) {
    throw new Problem(409, "conflict", `group "${name}" has no offsets to seek from: name topics`);
  }
  if (!isExecuted) return moves;
  const offsets = moves.map(({ topic, partition, newOffset }) => ({
    topic,
    partition,
    offset: BigInt(newOffset),
  }));
  if (group.type === "share") await admin.groups.alterShareOffsets(name, offsets);
  else await admin.groups.alterOffsets(name, offsets);
  return moves;
}

/** Those whose topics have not been deleted. */
async function stillThere(admin: Admin, positions: readonly Position[]) {
  const names = [...new Set(positions.map(({ topic }) => topic))];
  if (names.length === 0) return [];
  const described = await admin.describeTopics(names);
  const counts = new Map(described.map(({ name, topic }) => [name, topic?.partitions.length ?? 0]));
  return positions
    .filter(({ topic, partition }) => partition < (counts.get(topic) ?? 0))
    .map(({ topic, partition }) => ({ topic, partition }));
}

async function forget(admin: Admin, group: string, topic: string): Promise<void> {
  const { type } = await admin.groups.describe(group);
  if (type === "share") {
    const [result] = await admin.groups.deleteShareOffsets(group, [topic]);
    if (result !== undefined && result.error !== null) throw result.error;
    return;
  }
  const positions = await readPositions(admin, group, type);
  const partitions = positions.filter((each) => each.topic === topic).map((p) => p.partition);
  if (partitions.length === 0) {
    throw new KafkaError(Errors.GROUP_ID_NOT_FOUND, `offsets of group "${group}" in "${topic}"`);
  }
  await admin.groups.deleteOffsets(group, [{ topic, partitions }]);
}
