/** `kstream cluster members`. */
import { formatAddress } from "../../broker/listeners.ts";
import type { Member } from "../../cluster/gossip/member.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { type AdminApiOptions, askAdmin } from "../admin-client.ts";
import { formatTable, print, printJson } from "../output.ts";

/** Options of the command. */
export interface MembersOptions extends AdminApiOptions {
  readonly json?: boolean | undefined;
}

/** Prints who the broker has heard of. */
export async function listMembers(options: MembersOptions): Promise<void> {
  const members = membersIn(await askAdmin(options, { method: "GET", path: "/v1/members" }))
    .toSorted((a, b) => a.nodeId - b.nodeId);
  if (options.json) return await printJson(members);
  await print(formatTable(members, [
    { title: "NODE", cell: ({ nodeId }) => nodeId, right: true },
    {
      title: "STATE",
      cell: ({ state }) => state,
      tone: ({ state }) => state === "failed" ? "bad" : null,
    },
    { title: "HOST", cell: ({ meta }) => meta.host },
    { title: "RACK", cell: ({ meta }) => meta.rack },
    { title: "LISTENERS", cell: ({ meta }) => meta.listeners.map(formatAddress).join(",") },
    { title: "GOSSIP", cell: ({ address }) => formatAddress(address) },
    { title: "VERSION", cell: ({ meta }) => meta.version },
    { title: "LOAD", cell: ({ meta }) => `${meta.loadPercent} %`, right: true },
  ]));
}

/** This program and the broker may differ by a version, so what is printed is looked at. */
function membersIn(answer: unknown): Member[] {
  const isStruct = typeof answer === "object" && answer !== null && "members" in answer;
  if (isStruct && Array.isArray(answer.members) && answer.members.every(isMember)) {
    return answer.members;
  }
  throw new OperatorError(
    "the admin API's answer cannot be read",
    "it lists members in another form",
    "use a kstream of the broker's version",
  );
}

function isMember(value: unknown): value is Member {
  const isStruct = typeof value === "object" && value !== null && "nodeId" in value &&
    "state" in value && "address" in value && "meta" in value;
  const meta = isStruct ? value.meta : null;
  return typeof meta === "object" && meta !== null && "listeners" in meta &&
    Array.isArray(meta.listeners) && "version" in meta && "loadPercent" in meta;
}
