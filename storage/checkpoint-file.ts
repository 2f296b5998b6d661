/**
 * Kafka's text checkpoints (`CheckpointFile`): a version, a count, then one entry per line.
 *
 *     0
 *     2
 *     orders 0 4711
 *     orders 1 42
 *
 * A file that does not read as that is as good as none: what it says can always be recovered.
 */

const VERSION = "0";

/** One entry of `recovery-point-offset-checkpoint` or `log-start-offset-checkpoint`. */
export interface OffsetEntry {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** One entry of `leader-epoch-checkpoint`: the epoch and its first offset. */
export interface EpochEntry {
  readonly epoch: number;
  readonly startOffset: number;
}

/** The text of an offset checkpoint. */
export function formatOffsets(entries: readonly OffsetEntry[]): string {
  return format(entries.map((entry) => `${entry.topic} ${entry.partition} ${entry.offset}`));
}

/** The entries, or null if the text is damaged. */
export function parseOffsets(text: string): OffsetEntry[] | null {
  return parse(text, (fields) => {
    const [topic, partition, offset] = fields;
    if (fields.length !== 3 || topic === undefined || topic === "") return null;
    const numbers = [Number(partition), Number(offset)];
    if (!numbers.every((value) => Number.isSafeInteger(value) && value >= 0)) return null;
    return { topic, partition: numbers[0]!, offset: numbers[1]! };
  });
}

/** The text of a leader-epoch checkpoint. */
export function formatEpochs(entries: readonly EpochEntry[]): string {
  return format(entries.map((entry) => `${entry.epoch} ${entry.startOffset}`));
}

/** The entries, ascending in both fields; null if the text is damaged. */
export function parseEpochs(text: string): EpochEntry[] | null {
  let last: EpochEntry | null = null;
  return parse(text, (fields) => {
    const [epoch, startOffset] = fields.map(Number);
    if (fields.length !== 2 || !Number.isSafeInteger(epoch) || !Number.isSafeInteger(startOffset)) {
      return null;
    }
    const entry: EpochEntry = { epoch: epoch!, startOffset: startOffset! };
    if (last !== null && (entry.epoch <= last.epoch || entry.startOffset <= last.startOffset)) {
      return null;
    }
    last = entry;
    return entry;
  });
}

function format(lines: readonly string[]): string {
  return [VERSION, String(lines.length), ...lines].join("\n") + "\n";
}

function parse<T>(text: string, parseLine: (fields: string[]) => T | null): T[] | null {
  const lines = text.split("\n");
  const count = Number(lines[1]);
  if (lines[0] !== VERSION || !Number.isSafeInteger(count)) return null;
  if (lines.length !== count + 3 || lines[count + 2] !== "") return null;
  const entries: T[] = [];
  for (const line of lines.slice(2, count + 2)) {
    const entry = parseLine(line.split(" "));
    if (entry === null) return null;
    entries.push(entry);
  }
  return entries;
}
