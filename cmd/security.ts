/**
 * TLS and SASL of every command that connects to a cluster: the flags, and what they mean to a
 * client. `program.ts` gives the flags to each command that has `--brokers`.
 */
import { readFileSync } from "node:fs";
import { Option } from "@commander-js/extra-typings";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { TlsOptions } from "../core/io.ts";
import { OperatorError } from "../core/operator-error.ts";
import type { SaslOptions } from "../core/sasl/options.ts";
import { reasonOf } from "./reason.ts";

/** What the flags come to; all commands that connect have them. */
export interface SecurityFlags {
  readonly tls?: boolean | undefined;
  readonly tlsCa?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsServerName?: string | undefined;
  readonly tlsInsecure?: boolean | undefined;
  readonly saslMechanism?: string | undefined;
  readonly saslUser?: string | undefined;
  readonly saslPassword?: string | undefined;
  readonly saslPasswordFile?: string | undefined;
  readonly saslToken?: string | undefined;
  readonly saslTokenFile?: string | undefined;
}

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] as const;

/** Flag and explanation. */
const FLAGS: readonly (readonly [flags: string, description: string])[] = [
  ["--tls", "speak TLS; any other --tls flag implies it"],
  ["--tls-ca <file>", "trust certificates that these sign (PEM), instead of the system's"],
  ["--tls-cert <file>", "certificate of this client (PEM), for brokers that want one"],
  ["--tls-key <file>", "its key (PEM)"],
  ["--tls-server-name <name>", "name in the broker's certificate, if not its host"],
  ["--tls-insecure", "trust any certificate: anybody in between can read and change all"],
  ["--sasl-mechanism <name>", `${MECHANISMS.join(", ")} (default SCRAM-SHA-512)`],
  ["--sasl-user <name>", "authenticate as this user"],
  ["--sasl-password <text>", "its password; others see it here: KSTREAM_SASL_PASSWORD is safer"],
  ["--sasl-password-file <file>", "file that holds the password"],
  ["--sasl-token <token>", "bearer token, for OAUTHBEARER"],
  ["--sasl-token-file <file>", "file that holds the token; read again when it is needed again"],
];

/** The long names of the flags, without dashes: they may stand at the top of kstream.toml. */
export const SECURITY_OPTION_NAMES: readonly string[] = FLAGS.map(([flags]) =>
  new Option(flags).long?.slice(2) ?? ""
);

/** Gives the flags to a command, if it connects to a cluster, and to all below it. */
export function addSecurityOptions(command: CommandUnknownOpts): void {
  for (const child of command.commands) addSecurityOptions(child);
  if (!command.options.some(({ long }) => long === "--brokers")) return;
  for (const [flags, description] of FLAGS) {
    command.addOption(new Option(flags, description).helpGroup("Security:"));
  }
}

/** What the flags mean to a client. Throws `OperatorError` (usage). */
export function securityOptions(flags: SecurityFlags): { tls?: TlsOptions; sasl?: SaslOptions } {
  const tls = tlsOptions(flags);
  const sasl = saslOptions(flags);
  return { ...(tls === null ? {} : { tls }), ...(sasl === null ? {} : { sasl }) };
}

function tlsOptions(flags: SecurityFlags): TlsOptions | null {
  const { tlsCa, tlsCert, tlsKey, tlsServerName, tlsInsecure } = flags;
  const files = [tlsCa, tlsCert, tlsKey, tlsServerName].some((value) => value !== undefined);
  if (!flags.tls && !files && !tlsInsecure) return null;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw usage("--tls-cert and --tls-key belong together", "give both");
  }
  return {
    ...(tlsCa === undefined ? {} : { ca: pemOf(tlsCa, "--tls-ca") }),
    ...(tlsCert === undefined ? {} : { cert: pemOf(tlsCert, "--tls-cert") }),
    ...(tlsKey === undefined ? {} : { key: pemOf(tlsKey, "--tls-key") }),
    ...(tlsServerName === undefined ? {} : { serverName: tlsServerName }),
    ...(tlsInsecure ? { rejectUnauthorized: false } : {}),
  };
}

function saslOptions(flags: SecurityFlags): SaslOptions | null {
  const { saslUser, saslPassword, saslPasswordFile, saslToken, saslTokenFile } = flags;
  const secrets = [saslPassword, saslPasswordFile, saslToken, saslTokenFile];
  if (saslUser === undefined && flags.saslMechanism === undefined) {
    if (secrets.every((secret) => secret === undefined)) return null;
  }
  const isToken = saslToken !== undefined || saslTokenFile !== undefined;
  const mechanism = mechanismOf(flags.saslMechanism ?? (isToken ? "OAUTHBEARER" : "SCRAM-SHA-512"));
  if (mechanism === "OAUTHBEARER") {
    if (saslTokenFile !== undefined) {
      return { mechanism, token: () => secretOf(saslTokenFile, "--sasl-token-file") };
    }
    if (saslToken !== undefined) return { mechanism, token: saslToken };
    throw usage("OAUTHBEARER needs a token", "give --sasl-token-file or --sasl-token");
  }
  if (isToken) throw usage(`${mechanism} takes no token`, "give --sasl-user and its password");
  if (saslUser === undefined) throw usage(`${mechanism} needs a user`, "give --sasl-user");
  const password = saslPasswordFile === undefined
    ? saslPassword
    : secretOf(saslPasswordFile, "--sasl-password-file");
  if (password !== undefined) return { mechanism, username: saslUser, password };
  throw usage(
    `no password for user "${saslUser}"`,
    "set KSTREAM_SASL_PASSWORD or give --sasl-password-file",
  );
}

function mechanismOf(name: string): (typeof MECHANISMS)[number] {
  const known = MECHANISMS.find((each) => each === name.toUpperCase());
  if (known !== undefined) return known;
  throw usage(`there is no SASL mechanism "${name}"`, `choose one of ${MECHANISMS.join(", ")}`);
}

function pemOf(path: string, flag: string): string {
  const text = textOf(path, flag);
  if (text.includes("-----BEGIN ")) return text;
  throw usage(`${flag} ${path} is no PEM file`, "it has to begin with -----BEGIN …");
}

/** A secret in a file, without the line end that editors leave. */
function secretOf(path: string, flag: string): string {
  return textOf(path, flag).replace(/\r?\n$/, "");
}

function textOf(path: string, flag: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = reasonOf(error);
    throw new OperatorError(`cannot read ${flag} ${path}`, why, "name a file that is there", 2);
  }
}

function usage(what: string, whatToDo: string): OperatorError {
  return new OperatorError(what, "", whatToDo, 2);
}
