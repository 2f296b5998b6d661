/** Hosts that tasks share: no more than so many, each begun when there is a task for it. */
import type { HostedWorker } from "./hosted-worker.ts";

/** See the head of the file. */
export class HostPool {
  #hosts: readonly HostedWorker[] = [];

  constructor(private readonly open: () => HostedWorker, private readonly max: number) {}

  /** The one with the fewest tasks, or another where none is idle. */
  choose(): HostedWorker {
    const alive = this.#hosts.filter(({ isOver }) => !isOver);
    const [fewest] = alive.toSorted((a, b) => a.size - b.size);
    const isFull = alive.length >= this.max;
    const chosen = fewest !== undefined && (isFull || fewest.size === 0) ? fewest : this.open();
    this.#hosts = alive.includes(chosen) ? alive : [...alive, chosen];
    return chosen;
  }

  async close(): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.close()));
  }
}
