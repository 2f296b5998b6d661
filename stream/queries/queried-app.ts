/** What queries need of a running application; `StreamsApp` is one. */
import type { MemberFigures } from "../../core/streams/live-application.ts";
import type { QueryableHost, TaskId } from "../assignor/index.ts";
import type { RestoreProgress } from "../runtime/restorer.ts";
import type { StoreHere } from "../runtime/task-table.ts";
import type { TopicPlan } from "../runtime/topic-plan.ts";
import type { AnyStore } from "../stores/key-value-store.ts";
import type { Topology } from "../topology/topology.ts";

/** Tasks of a member, by what it does with them. */
export interface TasksHere {
  readonly running: readonly TaskId[];
  readonly opening: readonly TaskId[];
  readonly standby: readonly TaskId[];
  readonly restoring: readonly RestoreProgress[];
}

/** See the head of the file. */
export interface QueriedApp {
  readonly applicationId: string;
  readonly topology: Topology;
  /** Where this member can be asked; null: nowhere. */
  readonly endpoint: string | null;
  /** Null: the application is starting. */
  readonly plan: TopicPlan | null;
  /** Members that can be asked, as the group's leader has told. */
  readonly hosts: readonly QueryableHost[];
  status(): TasksHere;
  /** What this member tells those who look at the application. */
  figures(): MemberFigures;
  storeOf(task: TaskId, name: string): StoreHere | null;
  /** Of a global table; null: it is not filled yet. */
  globalStore(name: string): AnyStore | null;
}
