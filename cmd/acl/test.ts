import { type AclDecision, type AclEntry, AclIndex } from "../../core/acl.ts";
import { javaHost } from "../../core/ip-address.ts";
import { OperatorError } from "../../core/operator-error.ts";
import type { Admin } from "../../client/admin.ts";
import { KafkaError } from "../../client/errors.ts";
import { withAdmin } from "../admin-command.ts";
import { print, printJson } from "../output.ts";
import {
  aclJson,
  aclRefusal,
  oneResource,
  operationOf,
  principalOf,
  type ResourceOptions,
  shownEntry,
} from "./resource.ts";

/** Options of `acl test`. */
export interface TestOptions extends ResourceOptions {
  readonly principal: string;
  readonly operation: string;
  readonly host: string;
}

/** What decides: a rule, a super user's right, that no rule allows it, or that none is about it. */
interface Verdict {
  /** Null if it cannot be learnt: only the broker knows what holds where there is no rule. */
  readonly allowed: boolean | null;
  readonly reason: "acl" | "super-user" | "no-acl-allows" | "no-acl";
  readonly acl: AclEntry | null;
  /** Whether the broker told who is a super user. */
  readonly knowsSuperUsers: boolean;
}

/** Configs of the authorizer, as far as a broker tells them. */
interface AuthorizerConfigs {
  /** Null if the broker does not tell. */
  readonly superUsers: readonly string[] | null;
  readonly allowsByDefault: boolean | null;
}

/** `kstream acl test`: decides as the broker does, from the rules that it tells. */
export async function testAcl(options: TestOptions): Promise<void> {
  const resource = oneResource(options);
  const question = {
    ...resource,
    principal: principalOf(options.principal),
    operation: operationOf(options.operation),
    host: javaHost(options.host),
  };
  const verdict = await withAdmin(options, async (admin) => {
    try {
      const entries = await admin.acls.describe({
        ...resource,
        patternType: "MATCH",
        principal: null,
        host: null,
        operation: null,
        permission: null,
      });
      const configs = await authorizerConfigs(admin);
      return judge(question.principal, new AclIndex(entries).decide(question), configs);
    } catch (error) {
      throw aclRefusal("cannot test rules", error);
    }
  });
  const { allowed, reason, acl } = verdict;
  if (options.json) {
    await printJson({ allowed, reason, acl: acl === null ? null : aclJson(acl) });
  } else if (allowed === true) await print(`allowed: ${explain(verdict)}\n`);
  if (allowed === null) throw new OperatorError("not known", explain(verdict), "ask the broker");
  if (!allowed) throw new OperatorError("denied", explain(verdict), "kstream acl add changes that");
}

function judge(
  principal: string,
  decision: AclDecision,
  { superUsers, allowsByDefault }: AuthorizerConfigs,
): Verdict {
  const knowsSuperUsers = superUsers !== null;
  const verdict = { acl: null, knowsSuperUsers };
  if (superUsers?.includes(principal) === true) {
    return { ...verdict, allowed: true, reason: "super-user" };
  }
  switch (decision.kind) {
    case "entry": {
      const { entry } = decision;
      return { ...verdict, allowed: entry.permission === "ALLOW", reason: "acl", acl: entry };
    }
    case "none":
      return { ...verdict, allowed: false, reason: "no-acl-allows" };
    case "default":
      return { ...verdict, allowed: allowsByDefault, reason: "no-acl" };
  }
}

function explain(verdict: Verdict): string {
  const doubt = verdict.allowed === false && !verdict.knowsSuperUsers
    ? " (but super users may, and the broker does not tell who they are)"
    : "";
  return reasonOf(verdict) + doubt;
}

function reasonOf({ reason, acl, allowed }: Verdict): string {
  switch (reason) {
    case "acl":
      return acl === null ? "" : shownEntry(acl);
    case "super-user":
      return "it is one of super.users";
    case "no-acl-allows":
      return "there are rules about it, and none of them allows this";
    case "no-acl":
      return "no rule is about it" +
        (allowed === null
          ? ", and the broker does not tell allow.everyone.if.no.acl.found"
          : `, and allow.everyone.if.no.acl.found is ${allowed}`);
  }
}

async function authorizerConfigs(admin: Admin): Promise<AuthorizerConfigs> {
  const names = ["super.users", "allow.everyone.if.no.acl.found"];
  try {
    const { controllerId } = await admin.describeCluster();
    const found = await admin.describeConfigs(
      { type: "broker", name: String(controllerId) },
      { names },
    );
    const value = (name: string) => found.find((config) => config.name === name)?.value ?? null;
    const allows = value("allow.everyone.if.no.acl.found");
    return {
      superUsers: value("super.users")?.split(";").map((name) => name.trim()) ?? null,
      allowsByDefault: allows === null ? null : allows === "true",
    };
  } catch (error) {
    // Who may see rules may not see configs.
    if (!(error instanceof KafkaError)) throw error;
    return { superUsers: null, allowsByDefault: null };
  }
}
