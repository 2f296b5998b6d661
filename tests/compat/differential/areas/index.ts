/** All areas of the differential test. */
import type { Area } from "../step.ts";
import { classicGroups } from "./classic-groups.ts";
import { configs } from "./configs.ts";
import { consumerGroups } from "./consumer-groups.ts";
import { namedConfigs } from "./named-configs.ts";
import { records } from "./records.ts";
import { securityData } from "./security-data.ts";
import { topics } from "./topics.ts";
import { transactions } from "./transactions.ts";

export const AREAS: readonly Area[] = [
  topics,
  configs,
  namedConfigs,
  records,
  classicGroups,
  consumerGroups,
  transactions,
  securityData,
];
