/** Errors of the operating system and of Bun in words for the person at the terminal. */

/** Bun speaks to programmers here. */
const OF_SOCKETS: Readonly<Record<string, string>> = {
  ConnectionRefused: "the connection is refused",
  ECONNREFUSED: "the connection is refused",
  ECONNRESET: "it closes the connection",
  ENOTFOUND: "there is no such host",
};

/** `ENOENT: no such file or directory, open 'x'`: which file it is, the message says already. */
const SYSTEM_ERROR = /^E[A-Z0-9]+: (.+?)(?:, [a-z]+(?: '.*')?)?$/;

/** Why something failed: the first line of the error, without codes and calls. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const [line = ""] = text.split("\n");
  return placeOf(error) + (OF_SOCKETS[code] ?? SYSTEM_ERROR.exec(line)?.[1] ?? line);
}

/** Errors of the TOML parser have one. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error) || !("line" in error) || !("column" in error)) return "";
  const { line, column } = error;
  // All of Bun's errors have a line, of the program; the parser's also quote the text.
  const isPlace = typeof line === "number" && typeof column === "number" && "codeblock" in error;
  return isPlace ? `line ${line}, column ${column}: ` : "";
}
