/** Whom the admin server asks about applications of streams: `serve --streams-hosts` and `--streams-token`. */
import { type HostRule, parseHostRule } from "../../admin/stream-apps/host-rules.ts";
import type { StreamsLink } from "../../admin/stream-apps/streams-link.ts";
import { OperatorError } from "../../core/operator-error.ts";
import { queryToken } from "../query-token.ts";

/** The flags. */
export interface StreamsFlags {
  /** With commas. */
  readonly streamsHosts?: string | undefined;
  /** A file. */
  readonly streamsToken?: string | undefined;
}

/** Throws an `OperatorError` (usage). */
export function streamsLink(flags: StreamsFlags): StreamsLink {
  const { streamsHosts, streamsToken } = flags;
  const names = (streamsHosts ?? "").split(",").map((text) => text.trim()).filter(Boolean);
  if (streamsToken !== undefined && names.length === 0) {
    throw new OperatorError(
      "--streams-token is for hosts that are named",
      "whoever may join a group could have it sent anywhere else",
      "name those of your applications with --streams-hosts, as 127.0.0.1 for this one",
      2,
    );
  }
  const token = streamsToken === undefined ? null : queryToken(streamsToken, "--streams-token");
  // What applications are made of is loaded when somebody looks at one.
  const assignor = () => import("../../stream/assignor/assignor-messages.ts");
  return {
    token,
    rules: names.map(hostRule),
    protocol: "kstream-stream",
    endpointIn: async (userData) =>
      (await assignor()).decodeTaskSubscription(userData)?.endpoint ?? null,
  };
}

function hostRule(text: string): HostRule {
  const rule = parseHostRule(text);
  if (rule !== null) return rule;
  throw new OperatorError(
    `--streams-hosts cannot be read: "${text}"`,
    "it is no host",
    "write names or addresses with commas, as shop-1,*.shop.internal:8090,https://10.0.0.7",
    2,
  );
}
