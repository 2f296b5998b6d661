/** A broker with the topics of the shop, and members of it that come and go. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freshDir } from "../../harness/broker-process.ts";
import { SOON } from "../java-programs.ts";
import { expectEqual } from "../suite.ts";
import { withTarget } from "../target.ts";
import { javaMember, type Member, ourMember, ourStores, type Settings } from "./members.ts";
import { Shop, SHOP_APP } from "./shop.ts";

/** Offsets of markers in a topic between, that nobody has to process. */
const MARKERS_MAX = 10;

/** What happens on one broker. States are folders that members have, each its own. */
export interface Scene {
  readonly bootstrap: string;
  readonly shop: Shop;
  /** With these settings besides. */
  java(state: string, settings?: Settings): Member;
  /** `source`: another application than the shop. */
  ours(state: string, settings?: Settings, source?: string): Member;
  oursHold(state: string): Promise<string[]>;
}

/** Runs the body, and says what members have said if it fails. */
export async function withShop(body: (scene: Scene) => Promise<void>): Promise<void> {
  await withTarget(async ({ bootstrap }) => {
    const dir = freshDir("stream-java");
    const app = join(dir, "shop.ts");
    const shop = await Shop.open(bootstrap);
    const members: Member[] = [];
    const begun = (member: Member) => {
      members.push(member);
      return member;
    };
    try {
      await body({
        shop,
        bootstrap,
        java: (state, settings) => begun(javaMember(bootstrap, join(dir, state), settings)),
        ours: (state, settings, source = SHOP_APP) => {
          writeFileSync(app, source);
          return begun(ourMember(bootstrap, app, join(dir, state), settings));
        },
        oursHold: (state) => ourStores(app, join(dir, state)),
      });
    } catch (error) {
      const said = members.map((member, at) => `── member ${at}:\n${member.said}`).join("\n");
      throw new Error(`${error instanceof Error ? error.stack : error}\n${said}`);
    } finally {
      for (const member of members) await member.kill();
      await shop.close();
      rmSync(dir, { recursive: true, force: true });
    }
  }, SOON);
}

/** Ends it in good order, out of its group. */
export async function endWell(member: Member, how: "stop" | "SIGINT"): Promise<void> {
  if (how === "stop") member.tell("stop");
  else member.interrupt();
  expectEqual(await member.exitCode(), 0, "exit code");
}

/** Kills it in the middle of its work: what it has sent through topics is there for the other. */
export async function killAtWork(shop: Shop, member: Member): Promise<void> {
  await shop.awaitProgress();
  // Its work on what is there by now may be done by the time that it is killed.
  await shop.awaitUnprocessed(2 * MARKERS_MAX);
  await member.kill();
  for (const [topic, offsets] of await shop.unprocessed()) {
    if (offsets <= MARKERS_MAX) throw new Error(`${topic} has nothing for the other: ${offsets}`);
  }
  await shop.awaitEmptyGroup();
}
