/** Who has which tasks of an application, and what members tell one another of it. */
export { assignTasks } from "./assign-tasks.ts";
export {
  ASSIGNOR_NAME,
  decodeTaskAssignment,
  decodeTaskSubscription,
  encodeTaskAssignment,
  encodeTaskSubscription,
  type QueryableHost,
  RUNNING,
  type SaidAssignment,
  type SaidSubscription,
} from "./assignor-messages.ts";
export type {
  AssignableTask,
  AssignmentInput,
  AssignmentOptions,
  MemberTasks,
  StreamMember,
  TaskAssignment,
  TaskId,
} from "./task-assignment.ts";
export { partsOf } from "./task-assignment.ts";
