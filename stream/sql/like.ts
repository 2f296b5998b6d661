/** `LIKE` and `ILIKE`. */

/** Beside the pattern itself. */
interface LikeOptions {
  readonly ignoresCase: boolean;
  /** What stands before a sign of the pattern that is meant as such; empty: nothing does. */
  readonly escape: string;
}

const ANY = Symbol("%");
const ONE = Symbol("_");

type Sign = string | typeof ANY | typeof ONE;

/** Whether a text is like a pattern: `%` is any, `_` one character. Takes no longer than |text|·|pattern|. */
export function isLike(text: string, pattern: string, options: LikeOptions): boolean {
  const letters = [...(options.ignoresCase ? text.toLowerCase() : text)];
  const signs = signsOf(pattern, options);
  let [at, sign, star, resume] = [0, 0, -1, 0];
  while (at < letters.length) {
    if (signs[sign] === ANY) {
      star = sign++;
      resume = at;
    } else if (sign < signs.length && (signs[sign] === ONE || signs[sign] === letters[at])) {
      at++;
      sign++;
    } else if (star >= 0) {
      sign = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (signs[sign] === ANY) sign++;
  return sign === signs.length;
}

function signsOf(pattern: string, { ignoresCase, escape }: LikeOptions): readonly Sign[] {
  const signs: Sign[] = [];
  let isMeant = false;
  for (const sign of pattern) {
    if (sign === escape && !isMeant) {
      isMeant = true;
      continue;
    }
    const own = ignoresCase ? sign.toLowerCase() : sign;
    signs.push(isMeant ? own : sign === "%" ? ANY : sign === "_" ? ONE : own);
    isMeant = false;
  }
  return isMeant ? [...signs, escape] : signs;
}
