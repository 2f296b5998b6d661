/**
 * Offsets that go with a group that is made anew, in a file until they are set again: who is killed in
 * between finds them there. It is one that `group seek --to-file` takes.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperatorError } from "../../core/operator-error.ts";
import { OffsetsFileError, parseOffsetsFile } from "../group/offsets-file.ts";
import { reasonOf } from "../reason.ts";

export interface PlacedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** See the head of the file. */
export class KeptOffsets {
  readonly path: string;

  constructor(private readonly dir: string, private readonly groupId: string) {
    this.path = join(dir, `${groupId}.reset-offsets.json`);
  }

  /** What a reset that did not end has left. */
  read(): PlacedOffset[] {
    if (!existsSync(this.path)) return [];
    try {
      const all = parseOffsetsFile(readFileSync(this.path, "utf8"), this.groupId);
      return all.map(({ offset, ...place }) => ({ ...place, offset: BigInt(offset) }));
    } catch (error) {
      if (!(error instanceof OffsetsFileError)) throw this.#refusal("read", error);
      const what = `${this.path} is not what a reset has left there`;
      throw new OperatorError(what, error.message, "remove it, if nothing in it is wanted");
    }
  }

  /** With none there is no file. */
  write(offsets: readonly PlacedOffset[]): void {
    if (offsets.length === 0) return;
    const all = offsets.map(({ offset, ...place }) => ({ ...place, offset: Number(offset) }));
    try {
      mkdirSync(this.dir, { recursive: true });
      writeFileSync(`${this.path}.new`, JSON.stringify(all));
      renameSync(`${this.path}.new`, this.path);
    } catch (error) {
      throw this.#refusal("write", error);
    }
  }

  remove(): void {
    try {
      rmSync(this.path, { force: true });
    } catch (error) {
      throw this.#refusal("remove", error);
    }
  }

  #refusal(verb: string, error: unknown): OperatorError {
    const hint = "set --state-dir to a folder that can be written";
    return new OperatorError(`cannot ${verb} ${this.path}`, reasonOf(error), hint);
  }
}
