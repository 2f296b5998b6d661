/** What workers that commands start have in common: the real world, secrets, plugins, a log. */
import { readFileSync } from "node:fs";
import { BUILT_IN } from "../../connect/plugins/built-in.ts";
import { Plugins } from "../../connect/plugins/plugins.ts";
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

/** Connectors that may be run: those that run commands only where that is allowed. */
export function pluginsOf(options: { readonly allowExec?: boolean | undefined }): Plugins {
  return new Plugins(
    BUILT_IN.filter(({ needs }) => needs === undefined || options.allowExec === true),
  );
}
