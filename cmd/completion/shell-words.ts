/**
 * The words of a line of shell up to the cursor, without quotes and backslashes; the last is the
 * one that is being typed, maybe empty. What follows the last `|`, `;` or `&` counts. Nothing is
 * expanded.
 */
export function shellWords(line: string): string[] {
  let words: string[] = [];
  let word: string | null = null;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!;
    if (quote !== "") {
      if (char === quote) quote = "";
      else if (char === "\\" && quote === '"' && '"\\$`'.includes(line[i + 1] ?? " ")) {
        word += line[++i]!;
      } else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (char === "\\") {
      word = (word ?? "") + (line[++i] ?? "");
    } else if (/\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else if ("|;&".includes(char)) {
      [words, word] = [[], null];
    } else {
      word = (word ?? "") + char;
    }
  }
  return [...words, word ?? ""];
}
