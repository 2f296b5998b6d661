/** What workers that commands start have in common: secrets, a log. */
import { readFileSync } from "node:fs";
import type { SecretSources } from "../../connect/config/secrets.ts";
import { createLogger, type Logger, type LogLevel } from "../../core/logger.ts";
import { clientIo } from "../client.ts";
import { reasonOf } from "../reason.ts";
import { say } from "../terminal.ts";

/** From the environment and files of this process. */
export const ownSecrets: SecretSources = {
  env: (name) => process.env[name],
  readFile: (path) => {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      throw new Error(`cannot read ${path}: ${reasonOf(error)}`, { cause: error });
    }
  },
};

/** Lines on standard error. */
export function stderrLogger(level: LogLevel, format: "text" | "json"): Logger {
  return createLogger({ level, format, wallMs: () => clientIo.clock.wallMs(), write: say });
}
