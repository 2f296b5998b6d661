/**
 * Java's properties format, as in Kafka's `server.properties`: `name=value`, `name: value` or
 * `name value`; `#` and `!` begin comments; a backslash at the end continues a line; `\t`, `\n`,
 * `\uXXXX` and the like are escapes. The last of several equal names counts.
 */
export function parseProperties(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const { name, value } = split(line);
    if (name !== "") found.set(unescape(name), unescape(value));
  }
  return found;
}

/** Lines without comments and blanks, each with those that continue it. */
function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let continued: string | null = null;
  for (const natural of text.split(/\r\n|\r|\n/)) {
    const line = natural.trimStart();
    if (continued === null && (line === "" || line.startsWith("#") || line.startsWith("!"))) {
      continue;
    }
    const whole: string = (continued ?? "") + line;
    // An even number of backslashes at the end is escaped ones.
    const continues = (/\\+$/.exec(line)?.[0].length ?? 0) % 2 === 1;
    if (continues) {
      continued = whole.slice(0, -1);
    } else {
      lines.push(whole);
      continued = null;
    }
  }
  if (continued !== null) lines.push(continued);
  return lines;
}

function split(line: string): { name: string; value: string } {
  const match = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/s.exec(line);
  return { name: match?.[1] ?? "", value: match?.[2] ?? "" };
}

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function unescape(text: string): string {
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|(.))/gs, (_match, hex?: string, other?: string) => {
    if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16));
    return ESCAPES[other ?? ""] ?? other ?? "";
  });
}
