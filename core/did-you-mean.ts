/**
 * How many letters must be put in, left out, changed or swapped with their neighbour to get from one
 * word to the other (Levenshtein's distance with transpositions), cut off at `limit` + 1.
 */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, beforePrevious[j - 2]! + 1);
      }
      row.push(best);
    }
    [beforePrevious, previous] = [previous, row];
  }
  return previous[b.length] ?? limit + 1;
}

/**
 * The candidate that somebody who typed `word` most likely meant, or null if none is near: at most
 * one typing error in three characters. Long foreign words are not compared.
 */
export function didYouMean(word: string, candidates: Iterable<string>): string | null {
  if (word.length > 256) return null;
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    // It has come into being since it was missed.
    if (candidate === word) continue;
    const found = distance(word.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (found < bestDistance) [best, bestDistance] = [candidate, found];
  }
  return best;
}
