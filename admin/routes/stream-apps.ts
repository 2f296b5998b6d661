/** `/v1/streams`: applications that process streams, known by their groups, and what goes on in them. */
import type { Context } from "hono";
import { totalLag } from "../../client/admin/group-lag.ts";
import type { GroupListing } from "../../client/admin/groups.ts";
import { liveApplicationSchema } from "../../core/streams/schemas.ts";
import type { AdminEnv } from "../app.ts";
import { longestLag, readGroupLags } from "../group-lags.ts";
import { createRoute, json, list, newRoutes, z } from "../openapi.ts";
import { Problem } from "../problem.ts";
import type { AdminServices } from "../services.ts";
import { MemberAsker } from "../stream-apps/ask-member.ts";
import {
  type ApplicationKind,
  type ApplicationReader,
  kindOf,
  readApplication,
} from "../stream-apps/read-application.ts";

const lag = z.int().nullable().describe("records that are not processed yet; null: not known");
const lagSeconds = z.number().nullable().describe(
  "since the record was written that is next, of the partition that is furthest behind; null: not known",
);
const KIND = z.enum(["kstream", "kafka-streams", "streams"]).describe(
  "kstream: ours; kafka-streams: in Java; streams: a group of KIP-1071, which may be of either",
);
const APPLICATION = z.object({
  application: z.string(),
  kind: KIND,
  state: z.string(),
  members: z.int(),
  lag,
  lagSeconds,
}).openapi("StreamApplication");
const LIST = createRoute({
  method: "get",
  path: "/v1/streams",
  operationId: "listStreamApplications",
  tags: ["streams"],
  summary: "Applications that process streams, by name: their groups have members that say so",
  responses: {
    200: json(
      z.object({
        applications: list(APPLICATION),
        isWhole: z.boolean().describe("false: there were too many groups to look at all"),
      }),
      "The applications",
    ),
  },
});
const DESCRIPTION = APPLICATION.omit({ members: true }).extend({
  members: list(z.object({
    memberId: z.string(),
    clientId: z.string(),
    clientHost: z.string(),
    endpoint: z.string().nullable().describe("where it says that it is asked; null: nowhere"),
  })),
  partitions: list(z.object({
    topic: z.string(),
    partition: z.int(),
    offset: z.int().nullable(),
    endOffset: z.int().nullable(),
    lag,
    lagSeconds,
  })),
  live: liveApplicationSchema.nullable().describe("as a member tells it; null: none has"),
  notTold: z.object({
    detail: z.string(),
    command: z.string().nullable().describe("what would change it"),
  }).nullable().describe("why none has"),
}).openapi("StreamApplicationDescription");
const DESCRIBE = createRoute({
  method: "get",
  path: "/v1/streams/{application}",
  operationId: "describeStreamApplication",
  tags: ["streams"],
  summary:
    "An application: its graph, what goes through it, tasks, stores; one of its members is asked",
  request: { params: z.object({ application: z.string().min(1).max(500) }) },
  responses: { 200: json(DESCRIPTION, "The application") },
});

/** Groups that are looked at for one list, and at a time. */
const GROUPS_MAX = 1000;
const AT_ONCE = 16;
const KNOWN_MAX = 10_000;

export function streamAppRoutes(services: AdminServices) {
  const known = new KnownKinds();
  const { broker, streams: link } = services;
  const asker = new MemberAsker(broker.io.clock, fetch, link?.token ?? null);
  const reader = { link, asker, nodeId: broker.nodeId };
  return newRoutes()
    .openapi(LIST, async (context) => context.json(await listed(services, context, known), 200))
    .openapi(DESCRIBE, async (context) => {
      const { application } = context.req.valid("param");
      return context.json(await described(services, context, application, { known, reader }), 200);
    });
}

/**
 * What groups have been, as long as they say nothing else: while members join a classic group, and when
 * they are gone, brokers do not tell what protocol it has.
 */
class KnownKinds {
  readonly #kinds = new Map<string, ApplicationKind>();

  has(groupId: string): boolean {
    return this.#kinds.has(groupId);
  }

  of(groupId: string, now: ApplicationKind | null, protocol: string): ApplicationKind | null {
    if (now === null && protocol === "") return this.#kinds.get(groupId) ?? null;
    this.#kinds.delete(groupId);
    if (now === null) return null;
    this.#kinds.set(groupId, now);
    for (const oldest of this.#kinds.keys()) {
      if (this.#kinds.size <= KNOWN_MAX) break;
      this.#kinds.delete(oldest);
    }
    return now;
  }
}

async function listed(services: AdminServices, context: Context<AdminEnv>, known: KnownKinds) {
  const user = { principal: context.var.principal, peer: context.env.peer };
  const { admin } = services.client(user.principal, user.peer);
  const candidates = (await admin.groups.list()).filter((listing) => mayBeOne(listing, known));
  const found: Omit<z.infer<typeof APPLICATION>, "lag" | "lagSeconds">[] = [];
  const groups: GroupListing[] = [];
  for (let from = 0; from < Math.min(candidates.length, GROUPS_MAX); from += AT_ONCE) {
    await Promise.all(
      candidates.slice(from, from + AT_ONCE).map(async (listing) => {
        const group = await admin.groups.describeStreams(listing.groupId);
        if (group === null) return;
        const { groupId, protocol, state } = group;
        const kind = known.of(groupId, kindOf(group, services.streams), protocol);
        if (kind === null) return;
        groups.push(listing);
        found.push({ application: groupId, kind, state, members: group.members.length });
      }),
    );
  }
  const places = await readGroupLags(services, user, groups);
  const applications = found.map((each) => {
    const own = places.get(each.application) ?? [];
    return { ...each, lag: totalLag(own.map(({ lag }) => lag)), lagSeconds: longestLag(own) };
  }).sort((a, b) => a.application < b.application ? -1 : 1);
  return { applications, isWhole: candidates.length <= GROUPS_MAX };
}

/** A classic group that nobody is in does not say what it was, and there may be many. */
function mayBeOne(
  { groupId, state, type, protocolType }: GroupListing,
  known: KnownKinds,
): boolean {
  if (type === "streams") return true;
  return (type === "classic" || type === "") && protocolType === "consumer" &&
    (state !== "Empty" || known.has(groupId));
}

async function described(
  services: AdminServices,
  context: Context<AdminEnv>,
  application: string,
  { known, reader }: { readonly known: KnownKinds; readonly reader: ApplicationReader },
) {
  const user = { principal: context.var.principal, peer: context.env.peer };
  const { admin } = services.client(user.principal, user.peer);
  const group = await admin.groups.describeStreams(application);
  const kind = group === null
    ? null
    : known.of(application, kindOf(group, services.streams), group.protocol);
  if (group === null || kind === null) {
    const detail = `no group "${application.slice(0, 200)}" has members that process streams`;
    throw new Problem(404, "not found", detail);
  }
  const { state, type } = group;
  const [read, places] = await Promise.all([
    readApplication(group, kind, reader),
    readGroupLags(services, user, [{ groupId: application, type }]),
  ]);
  const partitions = (places.get(application) ?? []).map((place) => {
    const { topic, partition, offset, endOffset, lag, lagSeconds } = place;
    return { topic, partition, offset, endOffset, lag, lagSeconds };
  });
  return {
    ...{ application, kind, state, ...read, partitions },
    lag: totalLag(partitions.map((each) => each.lag)),
    lagSeconds: longestLag(places.get(application) ?? []),
  };
}
