import { basename } from "node:path";

/** How this program was started: as the binary, or by Bun from the sources. */
export function ownCommand(): string[] {
  const isBun = basename(process.execPath).startsWith("bun");
  return isBun ? [process.execPath, Bun.main] : [process.execPath];
}
