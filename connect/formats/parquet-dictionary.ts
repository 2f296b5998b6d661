/** Columns of few values, many times: each value once, and where in that list each row's is. */

export interface Dictionary {
  readonly entries: readonly unknown[];
  /** Of each row; −1: it is null. */
  readonly indexes: Int32Array;
}

/** After so many rows it shows whether a column repeats itself. */
const LOOKS = 1024;
/** A dictionary whose entries are more than this part of the rows saves nothing. */
const ENTRIES_PER_ROW_MAX = 0.5;

/** Null: the values are written as they are, as too few of them are the same. */
export function dictionaryOf(values: readonly unknown[]): Dictionary | null {
  const known = new Map<unknown, number>();
  const indexes = new Int32Array(values.length);
  let next = LOOKS;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (value === null || value === undefined) {
      indexes[row] = -1;
      continue;
    }
    // To a map −0 is 0.
    if (value === 0 && Object.is(value, -0)) return null;
    let index = known.get(value);
    if (index === undefined) {
      index = known.size;
      known.set(value, index);
    }
    indexes[row] = index;
    if (row !== next) continue;
    if (known.size > row * ENTRIES_PER_ROW_MAX) return null;
    next *= 2;
  }
  if (known.size === 0 || known.size > values.length * ENTRIES_PER_ROW_MAX) return null;
  return { entries: [...known.keys()], indexes };
}
