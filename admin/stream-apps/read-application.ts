/** An application as its group and its members tell of it. */
import type { Admin } from "../../client/admin.ts";
import type { StreamGroup, StreamGroupMember } from "../../client/admin/stream-group.ts";
import { addressText } from "../../core/connection-error.ts";
import type { HostPort } from "../../core/io.ts";
import { isLoopback } from "../../core/ip-address.ts";
import type { LiveApplication } from "../../core/streams/live-application.ts";
import type { MemberAnswer, MemberAsker } from "./ask-member.ts";
import { type AllowedHost, allowedHost, parseEndpoint } from "./host-rules.ts";
import type { StreamsLink } from "./streams-link.ts";

/** What the members of a group run: an application of ours, one of Kafka Streams, or one of either. */
export type ApplicationKind = "kstream" | "kafka-streams" | "streams";

/** The assignor of Kafka Streams in classic groups. */
const JAVA_PROTOCOL = "stream";
/** Members that are asked one after the other, until one tells. */
const TRIES_MAX = 3;

/** Null: it is no application. */
export function kindOf(
  { type, protocol }: Pick<StreamGroup, "type" | "protocol">,
  link: Pick<StreamsLink, "protocol"> | null,
): ApplicationKind | null {
  if (type === "streams") return "streams";
  if (protocol === JAVA_PROTOCOL) return "kafka-streams";
  return protocol !== "" && protocol === link?.protocol ? "kstream" : null;
}

/** A member, and where it says that it is asked. */
export interface AddressedMember extends Pick<StreamGroupMember, "memberId" | "clientId"> {
  readonly clientHost: string;
  /** Null: it has not said. */
  readonly endpoint: string | null;
}

/** Why nothing is told of an application's inside, and what to do about it. */
export interface NotTold {
  readonly detail: string;
  /** Null: there is none. */
  readonly command: string | null;
}

/** See the head of the file. */
export interface ReadApplication {
  readonly members: readonly AddressedMember[];
  readonly live: LiveApplication | null;
  readonly notTold: NotTold | null;
}

/** What the client gives of a group. */
export type CoordinatedGroup = NonNullable<
  Awaited<ReturnType<Admin["groups"]["describeStreams"]>>
>;

/** What applications are read with. */
export interface ApplicationReader {
  readonly link: StreamsLink | null;
  readonly asker: MemberAsker;
  /** This broker. */
  readonly nodeId: number;
}

export async function readApplication(
  group: CoordinatedGroup,
  kind: ApplicationKind,
  reader: ApplicationReader,
): Promise<ReadApplication> {
  const { link } = reader;
  const members = await Promise.all(group.members.map((member) => addressed(member, link)));
  const told = await liveOf(group, kind, members, reader);
  return "live" in told
    ? { members, live: told.live, notTold: null }
    : { members, live: null, notTold: told };
}

async function addressed(
  { memberId, clientId, clientHost, userData, userEndpoint }: StreamGroupMember,
  link: StreamsLink | null,
): Promise<AddressedMember> {
  const said = userEndpoint !== null
    ? endpointText(userEndpoint)
    : userData === null || link === null
    ? null
    : await link.endpointIn(userData);
  // Java has a slash before the address.
  return { memberId, clientId, clientHost: clientHost.replace(/^\//, ""), endpoint: said };
}

/** Members of ours have the path of a thread behind the host, for the protocol has no place for it. */
function endpointText({ host, port }: HostPort): string {
  const [, plain = "", path = ""] = /^([^/]*)(.*)$/.exec(host) ?? [];
  return `${addressText({ host: plain, port })}${path}`;
}

async function liveOf(
  { groupId, coordinator }: CoordinatedGroup,
  kind: ApplicationKind,
  members: readonly AddressedMember[],
  { link, asker, nodeId }: ApplicationReader,
): Promise<{ readonly live: LiveApplication } | NotTold> {
  if (link === null) return { detail: "this server asks no applications", command: null };
  if (kind === "kafka-streams") {
    const detail = "its members are of Kafka Streams in Java, which tell nothing over HTTP";
    return { detail, command: null };
  }
  const said = members.flatMap(({ endpoint, clientHost }) => {
    const at = endpoint === null ? null : parseEndpoint(endpoint);
    return at === null ? [] : [{ at, clientHost }];
  });
  if (members.length === 0) return { detail: "it does not run now", command: null };
  if (said.length === 0) {
    return {
      detail: "its members say no address where they are asked: run them with one",
      command: "kstream stream run app.ts --queries 127.0.0.1:8090",
    };
  }
  const allowed = new Map(
    said.flatMap(({ at, clientHost }) => {
      const isFromHere = coordinator === nodeId && isLoopback(clientHost);
      const host = allowedHost(at, link.rules, isFromHere);
      return host === null ? [] : [[host.origin, host] as const];
    }),
  );
  if (allowed.size === 0) return notNamed([...new Set(said.map(({ at }) => at.host))]);
  return await firstOf(asker, [...allowed.values()], groupId);
}

async function firstOf(asker: MemberAsker, hosts: readonly AllowedHost[], name: string) {
  const answers: [AllowedHost, MemberAnswer][] = [];
  for (const host of hosts.slice(0, TRIES_MAX)) {
    const answer = await asker.ask(host, name);
    if ("live" in answer) return { live: answer.live };
    answers.push([host, answer]);
  }
  const [first] = answers;
  const why = first === undefined || "live" in first[1] ? "no answer" : first[1].why;
  return refusalOf(why, first?.[0] ?? hosts[0]!);
}

function notNamed(hosts: readonly string[]): NotTold {
  const names = hosts.slice(0, 8).join(",");
  return {
    detail: `its members are asked at ${names}: this server asks hosts that it was told of, and ` +
      "members that are on its own host, where they say an address of loopback",
    command: `kstream serve --streams-hosts '${names}'`,
  };
}

function refusalOf(
  why: Exclude<MemberAnswer, { live: unknown }>["why"],
  { origin, isNamed }: AllowedHost,
): NotTold {
  switch (why) {
    case "token": {
      const host = new URL(origin).hostname;
      const flags = isNamed ? "" : ` --streams-hosts ${host}`;
      return {
        detail:
          `the member at ${origin} asks for a token: tell this server that of --queries-token`,
        command: `kstream serve${flags} --streams-token FILE`,
      };
    }
    case "starting":
      return { detail: `the member at ${origin} is starting, or busy`, command: null };
    case "something else":
      return { detail: `what answers at ${origin} is no member of it`, command: null };
    case "no answer":
      return { detail: `no member answers at ${origin}: can this host reach it?`, command: null };
  }
}
