/** `consume --on-error`: what becomes of records that expressions or the format cannot take. */
import { OperatorError } from "../../core/operator-error.ts";
import type { SelectRecord } from "../../core/expression/record-expressions.ts";
import type { RecordFormat } from "./format/record-format.ts";

/** How many are printed; the others only count. */
const PRINTED_MAX = 5;

/** Leaves out what would end the command otherwise, and counts it. */
export class SkippedRecords {
  count = 0;

  constructor(readonly say: (line: string) => void) {}

  /** The same expressions, of which a failure leaves the record out. */
  select(select: SelectRecord): SelectRecord {
    return (record, place) => {
      try {
        return select(record, place);
      } catch (error) {
        this.#take(error);
        return null;
      }
    };
  }

  /** The same format, of which a failure prints nothing of the record. */
  format({ header, print }: RecordFormat): RecordFormat {
    return {
      header,
      print: (output, record, place) => {
        const { size } = output;
        try {
          return print(output, record, place);
        } catch (error) {
          output.truncate(size);
          this.#take(error);
          return false;
        }
      },
    };
  }

  /** Says how many there were; the exit code is then 4, if it was 0. */
  report(exitCode: number): number {
    if (this.count === 0) return exitCode;
    this.say(`kstream: skipped ${this.count} ${this.count === 1 ? "record" : "records"}`);
    return exitCode === 0 ? 4 : exitCode;
  }

  #take(error: unknown): void {
    if (!(error instanceof OperatorError)) throw error;
    this.count++;
    const why = [error.what, error.why].filter((part) => part !== "").join(": ");
    if (this.count <= PRINTED_MAX) this.say(`kstream: ${why}`);
    if (this.count === 1 && error.excerpt !== "") this.say(error.excerpt);
    if (this.count === PRINTED_MAX) this.say("kstream: from here on they are only counted");
  }
}
