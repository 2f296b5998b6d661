/** `kstream cluster upgrade`. */
import { featuresOf, setFeatures } from "../../client/admin/features.ts";
import { type AdminOptions, refusal, withAdmin } from "../admin-command.ts";
import { formatTable, print, printJson } from "../output.ts";

/** Options of the command. */
export interface UpgradeOptions extends AdminOptions {
  readonly execute?: boolean | undefined;
  readonly json?: boolean | undefined;
}

/** `kstream cluster upgrade`: raises features to what all brokers can run. */
export async function upgrade(options: UpgradeOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    const { brokers } = await admin.describeCluster();
    const answers = await Promise.all(
      brokers.map(({ nodeId }) => featuresOf(admin.cluster, nodeId)),
    );
    const levels = answers[0]?.levels ?? new Map<string, number>();
    const features = (answers[0]?.supported ?? []).map(({ name }) => {
      const levelsOfAll = answers.map(({ supported }) =>
        supported.find((each) => each.name === name)?.maxLevel ?? 0
      );
      const level = levels.get(name) ?? 0;
      return { feature: name, level, newLevel: Math.max(level, Math.min(...levelsOfAll)) };
    });
    const raised = features.filter(({ level, newLevel }) => newLevel > level);
    const executed = options.execute === true;
    if (executed && raised.length > 0) {
      const wanted = new Map(raised.map(({ feature, newLevel }) => [feature, newLevel]));
      try {
        await setFeatures(admin.cluster, wanted);
      } catch (error) {
        throw refusal("the cluster cannot be upgraded", error);
      }
    }
    if (options.json) return await printJson({ executed, brokers: brokers.length, features });
    const table = formatTable(features, [
      { title: "FEATURE", cell: ({ feature }) => feature },
      { title: "LEVEL", cell: ({ level }) => level, right: true },
      { title: "ALL CAN", cell: ({ newLevel }) => newLevel, right: true },
    ]);
    await print(table + hintOf(raised.length, executed));
  });
}

function hintOf(raised: number, executed: boolean): string {
  if (raised === 0) return "nothing has to be raised\n";
  return executed ? "raised\n" : "--execute raises them: older brokers can join no more then\n";
}
