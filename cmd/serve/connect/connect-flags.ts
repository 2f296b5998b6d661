/** The flags of `serve --connect`. */
import { Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { OperatorError } from "../../../core/operator-error.ts";
import { pluginMemoryOption } from "../../connect/hosts/plugin-options.ts";

/** What they come to. */
export interface ConnectFlags {
  /** Whether a worker of connectors runs beside the broker. */
  readonly connect?: boolean | undefined;
  readonly connectGroup?: string | undefined;
  /** Folder of users' connectors. */
  readonly connectPlugins?: string | undefined;
  /** Bytes of each process of a connector. */
  readonly connectMemory?: number | undefined;
  readonly connectAllowExec?: boolean | undefined;
  /** Where its REST API listens; default: at the usual address, or nearby. */
  readonly connectRest?: string | undefined;
  readonly connectRestUsers?: string | undefined;
  /** Profile by which it connects; default: none is needed. */
  readonly connectProfile?: string | undefined;
}

const OPTIONS = [
  new Option(
    "--connect",
    "run connectors beside the broker, each in a process of its own",
  ),
  new Option(
    "--connect-group <name>",
    "brokers of a cluster with the same one share them (default: kstream-connect)",
  ),
  new Option(
    "--connect-plugins <dir>",
    "connectors of your own, as connect run --plugins",
  ),
  pluginMemoryOption("--connect-memory <size>"),
  new Option(
    "--connect-allow-exec",
    "have connectors that run commands, as this user",
  ),
  new Option(
    "--connect-rest <host:port>",
    "where their REST API listens besides (default: 127.0.0.1:8083)",
  ),
  new Option(
    "--connect-rest-users <file>",
    "whom it lets in: lines NAME:PASSWORD",
  ),
  new Option(
    "--connect-profile <name>",
    "connect to the cluster by this profile, where listeners want TLS or users",
  ),
] as const;

/** Gives the command these options, under a heading of their own. */
export function withConnectOptions<C extends CommandUnknownOpts>(command: C): C {
  for (const option of OPTIONS) command.addOption(option.helpGroup("Connectors:"));
  return command;
}

/** Throws an `OperatorError` where flags need `--connect`, or cannot be with it. */
export function refuseConnect(
  flags: ConnectFlags & { readonly connectUrl?: string | undefined },
  shards: number,
): void {
  const { connect, connectMemory: _default, ...others } = flags;
  const given = Object.entries(others).find(([name, value]) =>
    name.startsWith("connect") && name !== "connectUrl" && value !== undefined
  );
  if (connect !== true && given !== undefined) {
    const flag = given[0].replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new OperatorError(`--${flag} is for connectors`, "", "give --connect as well", 2);
  }
  if (connect === true && others.connectUrl !== undefined) {
    throw new OperatorError(
      "--connect and --connect-url do not go together",
      "",
      "one worker is enough: leave out one of them",
      2,
    );
  }
  if (connect === true && shards > 1) {
    throw new OperatorError(
      "--connect and --shards do not go together",
      "",
      "run kstream connect worker beside, and say where with --connect-url",
      2,
    );
  }
}
