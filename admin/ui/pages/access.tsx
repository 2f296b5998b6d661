/** Who may do what, who can log in, and how much everybody may take. */
import { Empty } from "../components/notes.tsx";
import { Tabs } from "../components/tabs.tsx";
import { useRoute } from "../router.ts";
import { AclsTab } from "./acls.tsx";
import { QuotasTab } from "./quotas.tsx";
import { UsersTab } from "./users.tsx";

const TABS = [["acls", "ACLs"], ["users", "Users"], ["quotas", "Quotas"]] as const;

export function AccessPage() {
  const { params } = useRoute();
  const tab = params["tab"] ?? "acls";
  return (
    <>
      <h1>Access</h1>
      <Tabs label="Parts of access" base="/access" current={tab} tabs={TABS} />
      {tab === "acls" && <AclsTab />}
      {tab === "users" && <UsersTab />}
      {tab === "quotas" && <QuotasTab />}
      {!TABS.some(([id]) => id === tab) && <Empty title="There is no such part" />}
    </>
  );
}
