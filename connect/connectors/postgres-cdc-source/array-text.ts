/** Arrays as PostgreSQL writes them: `{1,NULL,"a \"b\"",{…}}`. */

export type ArrayText = readonly (string | null | ArrayText)[];

/** Throws where it is none. `[2:3]={…}` is read as `{…}`. */
export function parseArray(text: string, delimiter = ","): ArrayText {
  let at = text.indexOf("{");
  if (at < 0) throw new Error("this is no array");
  const read = (): ArrayText => {
    const items: (string | null | ArrayText)[] = [];
    at++;
    if (text[at] === "}") {
      at++;
      return items;
    }
    for (;;) {
      if (text[at] === "{") items.push(read());
      else if (text[at] === '"') items.push(readQuoted());
      else items.push(readPlain());
      const next = text[at++];
      if (next === "}") return items;
      if (next !== delimiter) throw new Error("this array does not end");
    }
  };
  const readQuoted = (): string => {
    let value = "";
    for (at++; text[at] !== '"'; at++) {
      if (at >= text.length) throw new Error("this array does not end");
      if (text[at] === "\\") at++;
      value += text[at];
    }
    at++;
    return value;
  };
  const readPlain = (): string | null => {
    const from = at;
    while (at < text.length && text[at] !== delimiter && text[at] !== "}") at++;
    const value = text.slice(from, at);
    return value === "NULL" ? null : value;
  };
  return read();
}

/** Pairs of hstore's text: `"a"=>"b", "c"=>NULL`. */
export function parseHstore(text: string): [key: string, value: string | null][] {
  const pairs: [string, string | null][] = [];
  const unquoted = (quotedText: string) => quotedText.slice(1, -1).replace(/\\(.)/gs, "$1");
  for (
    const [, key = "", value = ""] of text.matchAll(
      /("(?:[^"\\]|\\.)*")=>(NULL|"(?:[^"\\]|\\.)*")/gs,
    )
  ) {
    pairs.push([unquoted(key), value === "NULL" ? null : unquoted(value)]);
  }
  return pairs;
}
