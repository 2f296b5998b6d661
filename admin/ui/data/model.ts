/**
 * What the API answers and takes, as its routes declare it: types alone, so that nothing of the server
 * comes along. `/openapi.json` describes the same in words.
 */
import type { ExtractSchema } from "hono/types";
import type { AdminApi } from "../../api.ts";

type Schema = ExtractSchema<AdminApi>;

/** The paths of the API, as `/v1/topics/:topic`. */
export type ApiPath = keyof Schema & string;
/** Methods that change something. */
export type WriteMethod = "POST" | "PUT" | "PATCH" | "DELETE";

type Endpoint<P extends ApiPath, M extends string> = P extends ApiPath
  ? Schema[P] extends Readonly<Record<`$${Lowercase<M>}`, infer E>> ? E : never
  : never;

/** What a request is answered. */
export type Answer<P extends ApiPath, M extends string = "GET"> = Endpoint<P, M> extends
  { readonly output: infer Output } ? Output : never;

/** The JSON that a request comes with; `undefined`: none. */
export type Body<P extends ApiPath, M extends string> = Endpoint<P, M> extends
  { readonly input: { readonly json: infer Json } } ? Json : undefined;

/** The parameters of the query that any method of a path takes. */
export type QueryOf<P extends ApiPath> = Schema[P][keyof Schema[P]] extends infer E
  ? E extends { readonly input: { readonly query: infer Q } } ? keyof Q & string : never
  : never;

/** The names in a path: `topic` of `/v1/topics/:topic`. */
export type ParamOf<P extends string> = P extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamOf<`/${Rest}`>
  : P extends `${string}:${infer Name}` ? Name
  : never;

export type TopicItem = Answer<"/v1/topics">["topics"][number];
export type TopicView = Answer<"/v1/topics/:topic">;
export type PartitionView = TopicView["partitions"][number];
export type GroupItem = Answer<"/v1/groups">["groups"][number];
export type GroupView = Answer<"/v1/groups/:group">;
export type GroupMember = GroupView["members"][number];
export type GroupPartition = GroupView["partitions"][number];
export type SeekMove = Answer<"/v1/groups/:group/seek", "POST">["partitions"][number];
export type ConfigView = Answer<"/v1/topics/:topic/configs">["configs"][number];
export type ClusterView = Answer<"/v1/cluster">;
export type BrokerView = ClusterView["brokers"][number];
export type ClientView = Answer<"/v1/clients">["clients"][number];
export type LogDirView = Answer<"/v1/brokers/:broker/log-dirs">["logDirs"][number];
export type TransactionItem = Answer<"/v1/transactions">["transactions"][number];
export type TransactionView = Answer<"/v1/transactions/:id">;
export type HangingTransaction = Answer<"/v1/hanging-transactions">["transactions"][number];
export type AclView = Answer<"/v1/acls">["acls"][number];
export type UserView = Answer<"/v1/users">["users"][number];
export type QuotaView = Answer<"/v1/quotas">["quotas"][number];
export type Me = Answer<"/v1/me">;
