/** Lets through, or has whoever comes wait. */
export class Gate {
  #opened: PromiseWithResolvers<void> | null = null;

  get isOpen(): boolean {
    return this.#opened === null;
  }

  close(): void {
    this.#opened ??= Promise.withResolvers<void>();
  }

  open(): void {
    this.#opened?.resolve();
    this.#opened = null;
  }

  /** Resolves when the gate is open. */
  async passed(): Promise<void> {
    while (this.#opened !== null) await this.#opened.promise;
  }
}
