/** Which processes have which tasks of a streams group, those included that are to be given up. */
import type { StreamsMember } from "./streams-member.ts";
import { type Role, ROLES } from "./tasks.ts";

type Counts = Map<string, Map<string, number>>;

const keyOf = (subtopologyId: string, task: number) => `${task} ${subtopologyId}`;

/** See the header. A process may have a task through several members for a moment. */
export class TaskOwners {
  readonly #counts: Readonly<Record<Role, Counts>> = {
    active: new Map(),
    standby: new Map(),
    warmup: new Map(),
  };

  add(member: StreamsMember): void {
    this.#count(member, 1);
  }

  remove(member: StreamsMember): void {
    this.#count(member, -1);
  }

  /** Whether a member of the process other than `member` has the task; of any process if null. */
  isHeldBesides(
    member: StreamsMember,
    role: Role,
    subtopologyId: string,
    task: number,
    processId: string | null,
  ): boolean {
    const counts = this.#counts[role].get(keyOf(subtopologyId, task));
    if (counts === undefined) return false;
    const own = [member.tasks, member.pendingRevocation]
      .filter((tasks) => tasks[role].get(subtopologyId)?.has(task) === true).length;
    if (processId !== null) {
      return (counts.get(processId) ?? 0) > (processId === member.processId ? own : 0);
    }
    let total = 0;
    for (const count of counts.values()) total += count;
    return total > own;
  }

  #count({ tasks, pendingRevocation, processId }: StreamsMember, by: 1 | -1): void {
    for (const role of ROLES) {
      for (const set of [tasks[role], pendingRevocation[role]]) {
        for (const [subtopologyId, partitions] of set) {
          for (const task of partitions.keys()) {
            this.#countOne(role, keyOf(subtopologyId, task), processId, by);
          }
        }
      }
    }
  }

  #countOne(role: Role, key: string, processId: string, by: 1 | -1): void {
    const counts = this.#counts[role].get(key) ?? new Map<string, number>();
    const count = (counts.get(processId) ?? 0) + by;
    if (count > 0) counts.set(processId, count);
    else counts.delete(processId);
    if (counts.size > 0) this.#counts[role].set(key, counts);
    else this.#counts[role].delete(key);
  }
}
