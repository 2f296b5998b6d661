/** A new ACL. */
import { useState } from "preact/hooks";
import { Dialog } from "../components/dialog.tsx";
import { Field, Form, Select } from "../components/form.tsx";
import { at, send } from "../data/api.ts";
import type { AclView } from "../data/model.ts";
import { resourceWords } from "./acls.tsx";

type ResourceType = AclView["resourceType"];
type Operation = AclView["operation"];

/** What there is to do with a resource, most wanted first (Kafka's `AclEntry.supportedOperations`). */
const OPERATIONS: Readonly<Record<ResourceType, readonly Operation[]>> = {
  TOPIC: [
    "READ",
    "WRITE",
    "DESCRIBE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "ALL",
  ],
  GROUP: ["READ", "DESCRIBE", "DELETE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS", "ALL"],
  CLUSTER: [
    "DESCRIBE",
    "ALTER",
    "CREATE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "ALL",
  ],
  TRANSACTIONAL_ID: ["WRITE", "DESCRIBE", "TWO_PHASE_COMMIT", "ALL"],
  DELEGATION_TOKEN: ["DESCRIBE", "ALL"],
  USER: ["DESCRIBE_TOKENS", "CREATE_TOKENS", "ALL"],
};

const TYPES: readonly (readonly [ResourceType, string])[] = [
  ["TOPIC", "Topics"],
  ["GROUP", "Groups"],
  ["TRANSACTIONAL_ID", "Transactional ids"],
  ["CLUSTER", "The cluster"],
  ["DELEGATION_TOKEN", "Delegation tokens"],
  ["USER", "Users"],
];
const PATTERNS = [["LITERAL", "exactly (* for all)"], ["PREFIXED", "all that begin with"]] as const;
const PERMISSIONS = [["ALLOW", "may"], ["DENY", "may not, whatever else is allowed"]] as const;
const CLUSTER_NAME = "kafka-cluster";

export function AddAcl({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [acl, setAcl] = useState<AclView>({
    resourceType: "TOPIC",
    resourceName: "",
    patternType: "LITERAL",
    principal: "User:",
    host: "*",
    operation: "READ",
    permission: "ALLOW",
  });
  const change = (some: Partial<AclView>) => setAcl((before) => ({ ...before, ...some }));
  const whole: AclView = acl.resourceType === "CLUSTER"
    ? { ...acl, resourceName: CLUSTER_NAME, patternType: "LITERAL" }
    : acl;
  const add = async () => {
    await send("POST", at("/v1/acls"), whole);
    onDone();
  };
  return (
    <Dialog title="Add an ACL" onClose={onClose}>
      <Form action="Add" onSubmit={add}>
        <Field name="Who, as User:alice; User:* for everybody">
          <input
            required
            pattern="[^:]+:.+"
            title="as User:alice"
            value={acl.principal}
            onInput={(event) => change({ principal: event.currentTarget.value })}
          />
        </Field>
        <Select
          name="May or may not"
          value={acl.permission}
          options={PERMISSIONS}
          onChange={(permission) => change({ permission })}
        />
        <Resource acl={acl} onChange={change} />
        <Select
          name="Operation"
          value={acl.operation}
          options={OPERATIONS[acl.resourceType].map((each) => [each, each] as const)}
          onChange={(operation) => change({ operation })}
        />
        <Field name="From the address; * for any">
          <input
            required
            value={acl.host}
            onInput={(event) => change({ host: event.currentTarget.value })}
          />
        </Field>
        {whole.resourceName !== "" && (
          <p class="muted">
            {whole.principal} {whole.permission === "ALLOW" ? "may" : "may not"} {whole.operation}
            {" "}
            on {resourceWords(whole)}
            {whole.host !== "*" && ` from ${whole.host}`}.
          </p>
        )}
      </Form>
    </Dialog>
  );
}

/** What the ACL is about; of the cluster there is one. */
function Resource({ acl: { resourceType, resourceName, patternType }, onChange }: {
  acl: AclView;
  onChange: (some: Partial<AclView>) => void;
}) {
  return (
    <>
      <Select
        name="Resource"
        value={resourceType}
        options={TYPES}
        onChange={(type) =>
          onChange({ resourceType: type, operation: OPERATIONS[type][0] ?? "ALL" })}
      />
      {resourceType !== "CLUSTER" && (
        <div class="pair">
          <Select
            name="Which"
            value={patternType}
            options={PATTERNS}
            onChange={(pattern) => onChange({ patternType: pattern })}
          />
          <Field name="Name">
            <input
              required
              value={resourceName}
              onInput={(event) => onChange({ resourceName: event.currentTarget.value })}
            />
          </Field>
        </div>
      )}
    </>
  );
}
