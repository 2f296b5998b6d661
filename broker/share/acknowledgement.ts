/** What a member of a share group says about records. */

/** What a member says about `[firstOffset, lastOffset]`: one type for all, or one for each. */
export interface Acknowledgement {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly types: readonly number[];
}

/** Offsets that one type is said about. */
export interface Run {
  readonly first: number;
  readonly last: number;
  readonly type: number;
}

/** The parts of it that say the same; neighbours differ. */
export function* runsOf({ firstOffset, lastOffset, types }: Acknowledgement): Generator<Run> {
  if (types.length === 1) {
    yield { first: firstOffset, last: lastOffset, type: types[0]! };
    return;
  }
  let from = 0;
  for (let index = 1; index <= types.length; index++) {
    if (index < types.length && types[index] === types[from]) continue;
    yield { first: firstOffset + from, last: firstOffset + index - 1, type: types[from]! };
    from = index;
  }
}
