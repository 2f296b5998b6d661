/** Why a member cannot work in its group, in words, and what to do about it. */
import { Errors } from "../../core/errors.ts";
import { OperatorError } from "../../core/operator-error.ts";

/** By a broker that knows nothing of streams groups, or has them turned off. */
export function notOffered(): OperatorError {
  return new OperatorError(
    "the brokers do not offer group.protocol=streams",
    "Kafka has it from 4.2 on, with streams.version=1 and group.coordinator.rebalance.protocols=classic,consumer,streams",
    "set these there, or take group.protocol=classic",
  );
}

/** What a broker has refused a heartbeat with, where somebody can do something; else null. */
export function refusedByGroup(
  code: number,
  message: string | null,
  applicationId: string,
): OperatorError | null {
  const group = `group "${applicationId}"`;
  const why = message ?? "";
  switch (code) {
    case Errors.UNSUPPORTED_VERSION:
      return notOffered();
    case Errors.GROUP_ID_NOT_FOUND:
      return new OperatorError(
        `this member cannot work in ${group}`,
        `it is a group of another kind and has members: ${why}`,
        "stop those first, or take the group.protocol that they have",
      );
    case Errors.INVALID_REQUEST:
      if (!why.includes("Topology updates")) return null;
      return new OperatorError(
        `this member cannot work in ${group}`,
        `the group does not take its topology: ${why}`,
        "run what the others run; for another topology end all members and take another application.id, " +
          `or delete the group, whose offsets go with it: kstream group delete ${applicationId}`,
      );
    case Errors.STREAMS_INVALID_TOPOLOGY:
    case Errors.STREAMS_INVALID_TOPOLOGY_EPOCH:
    case Errors.STREAMS_TOPOLOGY_FENCED:
      return new OperatorError(`${group} does not take the topology`, why, "");
    case Errors.GROUP_MAX_SIZE_REACHED:
      return new OperatorError(
        `${group} takes no more members`,
        why,
        "stop another one, or raise group.streams.max.size of the brokers",
      );
    default:
      return null;
  }
}

/** Members with more tasks, or who were there before, process another topology. */
export function otherTopology(applicationId: string): OperatorError {
  return new OperatorError(
    `this member cannot work in group "${applicationId}"`,
    "others in it run another topology: their subtopologies read other topics or keep other stores",
    "stop those first (kstream stream diff says what a change means), or take another application.id",
  );
}

/** One of the members has all of them end. */
export function shutdownRequested(): OperatorError {
  return new OperatorError("the application ends", "one of its members has asked for it", "");
}
