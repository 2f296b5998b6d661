/** Names in the cluster, asked for within the time that somebody waits at a Tab key. */
import { Admin } from "../../client/admin.ts";
import { clientIo, clientOptions } from "../client.ts";
import { count } from "../output.ts";
import type { SecurityFlags } from "../security.ts";
import type { Candidate } from "./suggest.ts";

const TIMEOUT_SECONDS = 0.3;

/**
 * Topics, groups or transactional ids with a word about each. Rejects where no broker answers in
 * time; whoever asks then has nothing to offer.
 */
export async function namesInCluster(
  options: { brokers?: string } & SecurityFlags,
  named: "topics" | "groups" | "transactions",
): Promise<Candidate[]> {
  const { brokers } = options;
  if (brokers === undefined) return [];
  const admin = new Admin(
    clientIo,
    clientOptions({ ...options, brokers, timeout: TIMEOUT_SECONDS }),
  );
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("too late")), TIMEOUT_SECONDS * 1000);
  try {
    return await Promise.race([ask(admin, named), late.promise]);
  } finally {
    clearTimeout(timer);
    admin.close();
  }
}

async function ask(
  admin: Admin,
  named: "topics" | "groups" | "transactions",
): Promise<Candidate[]> {
  switch (named) {
    case "topics":
      return (await admin.listTopics({ internal: false })).map(({ name, partitions }) => ({
        text: name,
        description: count(partitions.length, "partition"),
      }));
    case "groups":
      return (await admin.groups.list()).map(({ groupId, type, state }) => ({
        text: groupId,
        description: `${type} group, ${state}`,
      }));
    case "transactions":
      return (await admin.transactions.list()).map(({ transactionalId, state }) => ({
        text: transactionalId,
        description: state,
      }));
  }
}
