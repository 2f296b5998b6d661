/** The flags of `consume --group`, and what its errors mean to the person at the terminal. */
import { ASSIGNOR_NAMES } from "../../client/assignors.ts";
import type { ConsumerOptions, GroupProtocol } from "../../client/consumer.ts";
import { KafkaError } from "../../client/errors.ts";
import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";

/** The ones that `--group-protocol` takes. */
export const GROUP_PROTOCOLS: readonly GroupProtocol[] = ["classic", "consumer"];

const HEARTBEAT_MAX_MS = 3000;

/** As commander gives them. */
export interface GroupFlags {
  readonly group?: string | undefined;
  readonly groupProtocol?: GroupProtocol | undefined;
  readonly assignor?: string | undefined;
  /** Milliseconds. */
  readonly sessionTimeout?: number | undefined;
  readonly groupInstanceId?: string | undefined;
}

/** How this member takes part in its group. */
export type GroupOptions =
  & Pick<
    ConsumerOptions,
    "assignors" | "serverAssignor" | "sessionTimeoutMs" | "heartbeatIntervalMs" | "groupInstanceId"
  >
  & { readonly groupId: string; readonly groupProtocol: GroupProtocol };

/**
 * What the flags mean; null without a group. By default partitions that stay are read on through
 * rebalances, in both protocols. Throws `OperatorError` (usage).
 */
export function groupOptions(flags: GroupFlags): GroupOptions | null {
  const { group: groupId, groupProtocol = "classic", assignor, sessionTimeout } = flags;
  const { groupInstanceId } = flags;
  if (groupId === undefined) {
    const other = [
      flags.groupProtocol === undefined ? null : "--group-protocol",
      assignor === undefined ? null : "--assignor",
      sessionTimeout === undefined ? null : "--session-timeout",
      groupInstanceId === undefined ? null : "--group-instance-id",
    ].find((flag) => flag !== null);
    if (other === undefined) return null;
    throw new OperatorError(`${other} is for members of a group`, "", "give --group", 2);
  }
  const member = { groupId, groupProtocol, ...(groupInstanceId && { groupInstanceId }) };
  if (groupProtocol === "consumer") {
    if (sessionTimeout !== undefined) {
      throw new OperatorError(
        "--session-timeout does not go with --group-protocol consumer",
        "there it is a config of the group",
        `set it with: kstream config set group ${groupId} consumer.session.timeout.ms=…`,
        2,
      );
    }
    return { ...member, ...(assignor && { serverAssignor: assignor }) };
  }
  return {
    ...member,
    assignors: assignorsOf(assignor ?? "cooperative-sticky"),
    ...(sessionTimeout && {
      sessionTimeoutMs: sessionTimeout,
      heartbeatIntervalMs: Math.min(HEARTBEAT_MAX_MS, sessionTimeout / 3),
    }),
  };
}

function assignorsOf(text: string) {
  return text.split(",").map((part) => {
    const known = ASSIGNOR_NAMES.find((name) => name === part.trim());
    if (known !== undefined) return known;
    throw new OperatorError(
      `there is no assignor "${part.trim()}"`,
      "",
      `the classic protocol has ${ASSIGNOR_NAMES.join(", ")}`,
      2,
    );
  });
}

/** An error of the group with what can be done about it; any other as it is. */
export function explainGroupError(error: unknown, { groupId }: GroupOptions): unknown {
  if (!(error instanceof KafkaError)) return error;
  const advice = adviceFor(error.code, groupId);
  return advice === null ? error : new OperatorError(
    `group "${groupId}" does not take this member`,
    error.message,
    advice,
  );
}

function adviceFor(code: number, groupId: string): string | null {
  switch (code) {
    case Errors.INCONSISTENT_GROUP_PROTOCOL:
      return `its members share no assignor with this one: see "kstream group describe ${groupId}", ` +
        "and give --assignor (e.g. range,roundrobin) or --group-protocol";
    case Errors.UNSUPPORTED_ASSIGNOR:
      return "give --assignor another that the broker has: uniform or range";
    case Errors.FENCED_INSTANCE_ID:
    case Errors.UNRELEASED_INSTANCE_ID:
      return "another member has its --group-instance-id: give each its own";
    case Errors.INVALID_SESSION_TIMEOUT:
      return "give a --session-timeout within the broker's group.min.session.timeout.ms and " +
        "group.max.session.timeout.ms";
    default:
      return null;
  }
}
